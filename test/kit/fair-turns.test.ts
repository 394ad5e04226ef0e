import { expect, test } from "bun:test";
import { FairTurns, type FairTurnsOptions, NoTurn } from "../../src/kit/fair-turns.ts";
import { ManualClock } from "../support/manual-clock.ts";

const stays = new AbortController().signal;

function open(options: Partial<FairTurnsOptions> = {}) {
  const clock = new ManualClock();
  const turns = new FairTurns({
    atATime: 2,
    atATimePerClient: 2,
    maxWaiting: 100,
    maxWaitingPerClient: 100,
    maxWaitMs: 10_000,
    clock,
    ...options,
  });
  const begun: string[] = [];
  const refused: string[] = [];
  const running: { readonly name: string; readonly end: () => void }[] = [];
  const ask = (client: string, name: string, signal: AbortSignal = stays): Promise<void> =>
    turns
      .run(client, signal, () => {
        begun.push(name);
        const work = Promise.withResolvers<void>();
        running.push({ name, end: work.resolve });
        return work.promise;
      })
      .catch((error: unknown) => void refused.push(`${name}: ${error instanceof NoTurn ? error.why : String(error)}`));
  const settle = (): Promise<void> => Bun.sleep(0);
  /** Ends the turns in the order in which they began, until none is left. */
  const endAll = async (): Promise<void> => {
    await settle();
    for (let next = running.shift(); next !== undefined; next = running.shift()) {
      next.end();
      await settle();
    }
  };
  return { clock, turns, begun, refused, running, ask, settle, endAll };
}

test("a client that asks once waits for one turn of each other client, however many questions of another one wait", async () => {
  const { ask, begun, endAll } = open();
  for (let index = 1; index <= 10; index += 1) void ask("greedy", `greedy ${index}`);
  void ask("honest", "honest");
  await endAll();
  expect(begun.indexOf("honest")).toBe(3);
  expect(begun).toHaveLength(11);
});

test("clients that wait are served in turn", async () => {
  const { ask, begun, endAll } = open({ atATime: 1, atATimePerClient: 1 });
  for (const client of ["a", "b", "c"]) for (const index of [1, 2, 3]) void ask(client, `${client}${index}`);
  await endAll();
  expect(begun).toEqual(["a1", "a2", "b1", "c1", "a3", "b2", "c2", "b3", "c3"]);
});

test("a client has no more turns at a time than its share, so that another one need not wait at all", async () => {
  const { ask, begun, settle, turns } = open({ atATime: 4, atATimePerClient: 2 });
  for (let index = 1; index <= 10; index += 1) void ask("greedy", `greedy ${index}`);
  await settle();
  expect(begun).toEqual(["greedy 1", "greedy 2"]);
  void ask("honest", "honest");
  await settle();
  expect(begun.at(-1)).toBe("honest");
  expect([turns.running, turns.waiting]).toEqual([3, 8]);
});

test("a client that leaves while it waits is not served, and its place is another one's", async () => {
  const { ask, begun, refused, endAll, settle } = open({ atATime: 1 });
  const leaves = new AbortController();
  void ask("a", "a");
  void ask("b", "b", leaves.signal);
  void ask("c", "c");
  await settle();
  leaves.abort("left");
  await endAll();
  expect(begun).toEqual(["a", "c"]);
  expect(refused).toEqual(["b: left"]);
});

test("a turn that does not come in time is refused, and says when to ask again", async () => {
  const { ask, refused, clock, settle, running, turns } = open({ atATime: 1, maxWaitingPerClient: 1 });
  void ask("a", "a");
  const waiting = ask("b", "b");
  await settle();
  await clock.advance(10_000);
  await waiting;
  expect(refused).toEqual(["b: time"]);
  expect(turns.waiting).toBe(0);
  running[0]?.end();
  await settle();
  // turns take 2 s on average now, the one of 10 s included, and two more come first
  void ask("a", "again");
  void ask("a", "after that");
  const error = await turns.run("a", stays, () => Promise.resolve()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ why: "waiting", retryAfterSeconds: 4 });
});

test("many that wait do not keep out a client that has just come: the longest line loses its last one", async () => {
  const { ask, begun, refused, endAll, settle } = open({ atATime: 1, maxWaiting: 5 });
  for (let index = 0; index <= 5; index += 1) void ask("greedy", `greedy ${index}`);
  await settle();
  void ask("honest", "honest");
  await settle();
  expect(refused).toEqual(["greedy 5: waiting"]);
  await endAll();
  expect(begun.slice(0, 3)).toEqual(["greedy 0", "greedy 1", "honest"]);
});

test("a client whose line is full is refused at once", async () => {
  const { ask, refused, settle } = open({ atATime: 1, maxWaitingPerClient: 2 });
  for (let index = 0; index <= 3; index += 1) void ask("greedy", `greedy ${index}`);
  await settle();
  expect(refused).toEqual(["greedy 3: waiting"]);
});

test("work that fails ends its turn, and nothing is kept of clients that are gone", async () => {
  const { turns } = open({ atATime: 1 });
  for (let index = 0; index < 3; index += 1) {
    const failed = turns.run(`client ${index}`, stays, () => Promise.reject(new Error("failed")));
    expect(await failed.catch((error: Error) => error.message)).toBe("failed");
  }
  expect(turns.running).toBe(0);
  expect((turns as unknown as { lines: Map<string, unknown> }).lines.size).toBe(0);
});
