import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TermEnded } from "../../src/domain/errors.ts";
import type { Occupants, Workload } from "../../src/domain/gpu.ts";
import type { FaultChange, FaultState } from "../../src/faults/fault.ts";
import { type FaultStore, type FaultUpdate, maxSilences } from "../../src/faults/fault-store.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { silencesOf } from "../../src/faults/silence.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";

const t0 = Date.UTC(2026, 0, 5, 12);
const minute = 60_000;
const dayMs = 86_400_000;

const heldBy = (...namespaces: string[]): Occupants =>
  namespaces.map((namespace) => ({ namespace, pod: `${namespace}-0`, container: "main" }));

/** A change of a fault of a device that is named after its uuid. */
function change(
  uuid: string,
  state: FaultState,
  more: Partial<FaultChange> & { readonly hostname?: string } = {},
): FaultChange {
  const { hostname = "host-1", ...rest } = more;
  const startedAtMs = more.startedAtMs ?? t0;
  return {
    id: `memory.full@c/${uuid}@${startedAtMs}`,
    name: "memory.full",
    rule: "memory.full",
    severity: "info",
    summary: "The memory is nearly full",
    subject: { kind: "device", clusterId: "c", hostname, uuid, job: "" },
    startedAtMs,
    holders: [],
    action: "None.",
    runbook: "docs/faults.md#memoryfull",
    state,
    atMs: t0,
    value: 0.97,
    why: `It is ${state}.`,
    ...rest,
  };
}

const nothingElse = { states: [], requests: [] };

/** Writes the updates of one term. */
class Leader {
  private batch = 0;
  private constructor(
    private readonly store: FaultStore,
    readonly term: number,
  ) {}

  static async of(store: FaultStore): Promise<Leader> {
    return new Leader(store, await store.ledger.begin("a leader"));
  }

  async tell(...changes: readonly FaultChange[]): Promise<FaultUpdate> {
    return this.write({ ...nothingElse, changes: changes.map((each) => ({ change: each, by: "", comment: "" })) });
  }

  async write(update: Omit<FaultUpdate, "term" | "batch">): Promise<FaultUpdate> {
    this.batch += 1;
    const whole = { ...update, term: this.term, batch: this.batch };
    await this.store.ledger.write(whole);
    return whole;
  }
}

/** The contract of faults in a store. */
export function exerciseFaultStore(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} keeps the contract of faults`, () => {
    let opened: OpenStore;
    let store: FaultStore;
    beforeAll(async () => {
      opened = await open();
      store = new SqlFaultStore(opened.client);
    });
    afterAll(() => opened.close());

    test("a fault has its newest state, who held it at its beginning, and its changes in order", async () => {
      const leader = await Leader.of(store);
      const holders = heldBy("team-a");
      await leader.tell(
        change("first", "pending", { holders }),
        change("first", "firing", { holders, atMs: t0 + minute, value: 0.99 }),
      );
      await leader.write({
        ...nothingElse,
        changes: [
          { change: change("first", "acknowledged", { atMs: t0 + 2 * minute }), by: "anna", comment: "seen\0" },
        ],
      });
      const { id } = change("first", "firing");
      const found = await store.queries.fault(id);
      const acknowledgement = { by: "anna", atMs: t0 + 2 * minute, comment: "seen\ufffd" };
      const { name: rule, subject, summary, action } = change("first", "acknowledged");
      expect(found?.fault).toEqual({
        ...{ id, name: rule, rule, severity: "info", summary, subject, startedAtMs: t0, action },
        ...{ runbook: "docs/faults.md#memoryfull", state: "acknowledged", value: 0.97, why: "It is firing." },
        ...{
          holders,
          stateSinceMs: t0 + 2 * minute,
          firedAtMs: t0 + minute,
          endedAtMs: null,
          acknowledgement,
          changes: 3,
        },
      });
      expect(found?.changes.map(({ ordinal, state, atMs, by }) => [ordinal, state, atMs, by])).toEqual([
        [1, "pending", t0, ""],
        [2, "firing", t0 + minute, ""],
        [3, "acknowledged", t0 + 2 * minute, "anna"],
      ]);
      await leader.tell(change("first", "resolved", { atMs: t0 + 3 * minute }));
      const ended = await store.queries.fault(id);
      expect(ended?.fault).toMatchObject({
        state: "resolved",
        endedAtMs: t0 + 3 * minute,
        acknowledgement,
        changes: 4,
      });
    });

    test("the rules were last evaluated when the leader last saved its time; a first leader has time to do so", async () => {
      const fresh = await open();
      const { queries, ledger } = new SqlFaultStore(fresh.client);
      expect(await queries.lastEvaluation()).toEqual({ atMs: undefined, isCurrent: false });
      const leader = await Leader.of({ ...store, queries, ledger });
      expect(await queries.lastEvaluation()).toEqual({ atMs: undefined, isCurrent: true });
      await leader.write({ ...nothingElse, changes: [], states: [{ kind: "time", place: "", state: "{}" }] });
      const { atMs = 0, isCurrent } = await queries.lastEvaluation();
      expect(isCurrent).toBe(true);
      expect(Math.abs(atMs - Date.now())).toBeLessThan(10_000);
      await fresh.client.query("update fault_states set saved_at = saved_at - interval '61 s' where kind = 'time'");
      await Leader.of({ ...store, queries, ledger });
      expect(await queries.lastEvaluation()).toEqual({ atMs: atMs - 61_000, isCurrent: false });
      await fresh.close();
    });

    test("a repeated update changes nothing, and one of an earlier term is refused as a whole", async () => {
      const [former, leader] = [await Leader.of(store), await Leader.of(store)];
      const update = await leader.tell(change("fenced", "firing"));
      await store.ledger.write(update);
      const refused = former.write({
        changes: [{ change: change("stale", "firing"), by: "", comment: "" }],
        states: [{ kind: "device", place: "stale", state: "{}" }],
        requests: [],
      });
      expect(await refused.catch((error: unknown) => error)).toBeInstanceOf(TermEnded);
      expect(await store.queries.fault(change("stale", "firing").id)).toBeUndefined();
      expect(await store.ledger.states({ kind: "device", place: "stal" }, 1)).toEqual([]);
      expect((await store.queries.fault(change("fenced", "firing").id))?.changes).toHaveLength(1);
      await leader.tell(change("fenced", "resolved"));
    });

    test("of two leaders that write at the same time, the later one alone is heard, and sequences have no gap", async () => {
      const before = (await store.queries.news({ after: 0, limit: 10_000 })).sequence;
      const former = await Leader.of(store);
      const told = Array.from({ length: 20 }, (_, index) =>
        former.tell(change(`race-${index}`, "firing")).then(
          () => 1,
          () => 0,
        ),
      );
      const leader = await Leader.of(store);
      await leader.tell(change("race-last", "firing"));
      const count = (await Promise.all(told)).reduce<number>((sum, each) => sum + each, 0);
      const { news, sequence } = await store.queries.news({ after: before, limit: 100 });
      expect(news.map(({ change: { sequence: number } }) => number)).toEqual(
        Array.from({ length: count + 1 }, (_, index) => before + 1 + index),
      );
      expect(sequence).toBe(before + count + 1);
      await leader.tell(...news.map(({ fault }) => change(fault.subject.uuid, "resolved")));
    });

    test("a reader that continues after a sequence gets each change once, in parts too", async () => {
      const leader = await Leader.of(store);
      let { sequence: after } = await store.queries.news({ after: 0, limit: 10_000 });
      for (let index = 0; index < 5; index += 1) {
        const startedAtMs = t0 + index;
        await leader.tell(change("parts", "firing", { startedAtMs }), change("parts", "resolved", { startedAtMs }));
      }
      const states: string[] = [];
      for (let isMore = true; isMore;) {
        const { news, sequence } = await store.queries.news({ after, limit: 3 });
        states.push(...news.map(({ change: { state, ordinal } }) => `${state} ${ordinal}`));
        after = sequence;
        isMore = news.length > 0;
      }
      expect(states).toEqual(Array.from({ length: 5 }, () => ["firing 1", "resolved 2"]).flat());
    });

    test("lists are filtered, newest beginning first, and continue in pages", async () => {
      const leader = await Leader.of(store);
      const at = (uuid: string, index: number, state: FaultState = "firing", more: Partial<FaultChange> = {}) =>
        change(uuid, state, { startedAtMs: t0 + index * minute, hostname: "lists", ...more });
      await leader.tell(
        at("list-1", 1),
        at("list-2", 2, "firing", { severity: "critical", name: "nvidia.xid.79", rule: "nvidia.xid.reboot" }),
        at("list-3", 3, "firing", { holders: heldBy("team-a", "team-b") }),
        at("list-4", 3),
        at("list-4", 3, "resolved", { atMs: t0 + 10 * minute }),
        at("list-5", 5, "pending"),
        at("list-6", 6, "pending"),
        at("list-6", 6, "resolved", { atMs: t0 + 7 * minute }),
      );
      const uuids = async (filter: object) => {
        const page = await store.queries.faults({ hostname: "lists", limit: 100, ...filter });
        return page.faults.map(({ subject }) => subject.uuid);
      };
      expect(await uuids({})).toEqual(["list-5", "list-3", "list-2", "list-1"]);
      expect(await uuids({ states: ["resolved"] })).toEqual(["list-4"]);
      expect(await uuids({ states: ["firing", "resolved"], severities: ["info"] })).toEqual([
        "list-4",
        "list-3",
        "list-1",
      ]);
      expect(await uuids({ name: "nvidia.xid.reboot" })).toEqual(["list-2"]);
      expect(await uuids({ name: "nvidia.xid.79" })).toEqual(["list-2"]);
      expect(await uuids({ namespace: "team-b" })).toEqual(["list-3"]);
      expect(await uuids({ uuid: "list-1", clusterId: "c" })).toEqual(["list-1"]);
      expect(await uuids({ clusterId: "another" })).toEqual([]);
      const all: FaultState[] = ["firing", "pending", "resolved"];
      expect(await uuids({ states: all, range: { fromMs: t0 + 11 * minute, toMs: Infinity } })).not.toContain("list-4");
      expect(await uuids({ states: all, range: { fromMs: t0 + 9 * minute, toMs: t0 + 12 * minute } })).toContain(
        "list-4",
      );
      expect(await uuids({ states: all, range: { fromMs: t0, toMs: t0 + 2 * minute } })).toEqual(["list-1"]);
      const paged: string[] = [];
      for (let after; ;) {
        const page = await store.queries.faults({ hostname: "lists", states: all, limit: 2, ...(after && { after }) });
        paged.push(...page.faults.map(({ subject }) => subject.uuid));
        if ((after = page.next) === undefined) break;
      }
      expect(paged).toEqual(["list-5", "list-4", "list-3", "list-2", "list-1"]);
      expect((await store.ledger.lasting("", 1000)).map(({ subject }) => subject.uuid)).toContain("list-5");
    });

    test("a caller with bounds sees the faults of its places and namespaces, and no other holder", async () => {
      const leader = await Leader.of(store);
      const shared = { hostname: "bounds", holders: heldBy("team-a", "team-b") };
      const host = { ...change("", "firing").subject, kind: "host", hostname: "bounds", uuid: "" } as const;
      await opened.store.ingest(
        messageOf(
          "bounds",
          makeBatch([
            { uuid: "now-a", timeMs: t0, metrics: { temperature: 1 }, workload: heldBy("team-a")[0] as Workload },
          ]),
        ),
      );
      await leader.tell(
        change("of-both", "firing", shared),
        change("of-b", "firing", { hostname: "bounds", holders: heldBy("team-b") }),
        change("now-a", "firing", { hostname: "bounds" }),
        change("now-a", "firing", { hostname: "bounds", startedAtMs: t0 - minute }),
        change("now-a", "resolved", { hostname: "bounds", startedAtMs: t0 - minute }),
        change("", "firing", { id: "host.silent@c/bounds", subject: host, holders: heldBy("team-a") }),
        change("elsewhere", "firing", { hostname: "bounds-2", holders: heldBy("team-a") }),
      );
      const seen = async (within: object, filter: object = {}) => {
        const { faults } = await store.queries.faults({ name: "memory.full", limit: 1000, within, ...filter });
        const own = faults.filter(({ subject }) => subject.hostname.startsWith("bounds"));
        return own
          .map(({ subject, holders }) => `${subject.uuid}:${holders.map(({ namespace }) => namespace).join()}`)
          .sort();
      };
      const states: FaultState[] = ["firing", "resolved"];
      expect(await seen({ namespaces: ["team-a"] }, { states })).toEqual([
        ":team-a",
        "elsewhere:team-a",
        "now-a:",
        "of-both:team-a",
      ]);
      expect(await seen({ namespaces: ["team-a"], hosts: ["bounds-2"] })).toEqual(["elsewhere:team-a"]);
      expect(await seen({ hosts: ["bounds"] })).toContain("of-b:team-b");
      expect(await seen({ clusters: ["another"] })).toEqual([]);
      expect(await seen({ namespaces: ["team-a"] }, { namespace: "team-b" })).toEqual([]);
      const { id } = change("of-b", "firing");
      expect(await store.queries.fault(id, { namespaces: ["team-a"] })).toBeUndefined();
      expect((await store.queries.fault(id, { namespaces: ["team-b"] }))?.fault.id).toBe(id);
      const news = await store.queries.news({ after: 0, limit: 1000, within: { namespaces: ["team-b"] } });
      expect(new Set(news.news.flatMap(({ fault }) => fault.holders.map(({ namespace }) => namespace)))).toEqual(
        new Set(["team-b"]),
      );
      expect(news.sequence).toBe((await store.queries.news({ after: 1e12, limit: 1 })).sequence);
      const told = async (within: object, filter: object) =>
        (await store.queries.news({ after: 0, limit: 1000, within, ...filter })).news.map(
          ({ fault: { subject }, change: { state } }) => `${subject.uuid} ${state}`,
        );
      expect(await told({ namespaces: ["team-a"] }, { namespace: "team-b" })).toEqual([]);
      expect(await told({ hosts: ["bounds"] }, { states: ["resolved"] })).toEqual(["now-a resolved"]);
      expect(await told({ hosts: ["bounds"] }, { namespace: "team-b" })).toEqual(["of-both firing", "of-b firing"]);
    });

    test("a request waits for the leader, who marks it with what came of it", async () => {
      const leader = await Leader.of(store);
      const place = { clusterId: "c", hostname: "host-1", uuid: "" };
      const ids = [
        await store.orders.acknowledge({ faultId: "a fault", by: "anna", comment: "on it" }),
        await store.orders.endByBoundary({ place, boundary: "reboot", by: "bob", comment: "" }),
      ] as const;
      const [first, second] = await store.ledger.requests(10);
      expect(first).toMatchObject({
        id: ids[0],
        kind: "acknowledge",
        faultId: "a fault",
        by: "anna",
        comment: "on it",
        outcome: "open",
      });
      expect(second).toMatchObject({ id: ids[1], kind: "reboot", ...place, by: "bob", outcome: "open" });
      await leader.write({ changes: [], states: [], requests: [{ id: ids[0], outcome: "unknown_fault" }] });
      expect((await store.ledger.requests(10)).map(({ id }) => id)).toEqual([ids[1]]);
      expect((await store.queries.request(ids[0]))?.outcome).toBe("unknown_fault");
      expect(await store.queries.request(1e9)).toBeUndefined();
      await leader.write({ changes: [], states: [], requests: [{ id: ids[1], outcome: "done" }] });
    });

    test("a silence has its author, reason and end, and can be ended before", async () => {
      const draft = {
        matchers: [{ field: "host", pattern: "host-*", isEqual: true }],
        ...{ within: undefined, author: "anna", reason: "cabling", startsAtMs: t0, endsAtMs: Date.now() + dayMs },
      } as const;
      const all = await store.orders.silence(draft);
      const own = await store.orders.silence({ ...draft, within: { namespaces: ["team-a"] } });
      expect(all).toMatchObject(draft);
      expect((await store.queries.silences({ withEnded: false })).map(({ id }) => id)).toEqual([
        own?.id,
        all?.id,
      ] as number[]);
      const within = { namespaces: ["team-a"] };
      expect((await store.queries.silences({ withEnded: false, within })).map(({ id }) => id)).toEqual([
        own?.id,
      ] as number[]);
      const silences = await store.queries.silences({ withEnded: false });
      const silencedBy = (fault: FaultChange) => silencesOf(fault, silences, Date.now()).map(({ id }) => id);
      expect(silencedBy(change("x", "firing"))).toEqual([all?.id] as number[]);
      expect(silencedBy(change("x", "firing", { holders: heldBy("team-a") }))).toHaveLength(2);
      expect(await store.orders.endSilence({ id: all?.id as number, by: "bob", within })).toBeUndefined();
      const ended = await store.orders.endSilence({ id: all?.id as number, by: "bob" });
      expect(ended).toMatchObject({ endedBy: "bob", reason: "cabling" });
      expect(await store.orders.endSilence({ id: all?.id as number, by: "bob" })).toBeUndefined();
      expect(await store.queries.silences({ withEnded: false })).toHaveLength(1);
      expect(await store.queries.silences({ withEnded: true })).toHaveLength(2);
    });

    test("callers with bounds cannot use up the silences of others", async () => {
      const matchers = [{ field: "host", pattern: "x", isEqual: true }] as const;
      const times = { startsAtMs: t0, endsAtMs: Date.now() + dayMs };
      const within = { namespaces: ["many-silences"] };
      const draft = { matchers, within, author: "a", reason: "r", ...times };
      await opened.client.query(
        "insert into fault_silences (matchers, within, author, reason, starts_at, ends_at) select '[]', $2::text::jsonb, 'a', 'r', now(), now() + interval '1 day' from generate_series(1, $1::int)",
        [maxSilences.withinSameBounds - 1, JSON.stringify(within)],
      );
      expect(await store.orders.silence(draft)).toBeDefined();
      expect(await store.orders.silence(draft)).toBeUndefined();
      expect(await store.orders.silence({ ...draft, within: { namespaces: ["other-silences"] } })).toBeDefined();
      expect(await store.orders.silence({ ...draft, within: undefined })).toBeDefined();
    });

    test("there are at most as many silences as there may be", async () => {
      const draft = {
        matchers: [{ field: "host", pattern: "x", isEqual: true }],
        within: undefined,
        author: "a",
        reason: "r",
      } as const;
      const times = { startsAtMs: t0, endsAtMs: Date.now() + dayMs };
      expect(await store.orders.silence({ ...draft, ...times })).toBeDefined();
      await opened.client.query(
        "insert into fault_silences (matchers, author, reason, starts_at, ends_at) select '[]', 'a', 'r', now(), now() + interval '1 day' from generate_series(1, $1::int)",
        [maxSilences.inAll],
      );
      expect(await store.orders.silence({ ...draft, ...times })).toBeUndefined();
    });

    test("states are replaced, forgotten and read in pages", async () => {
      const leader = await Leader.of(store);
      const state = (kind: "device" | "host", place: string, text: string | null) => ({ kind, place, state: text });
      await leader.write({
        changes: [],
        requests: [],
        states: ["a", "B", "c"].map((place) => state("device", place, "{}")),
      });
      await leader.write({
        changes: [],
        requests: [],
        states: [state("device", "a", '{"x":1}'), state("device", "c", null), state("host", "h", "{}")],
      });
      const read = [];
      for (let after; ;) {
        const page = await store.ledger.states(after, 2);
        read.push(...page);
        after = page.at(-1);
        if (page.length < 2) break;
      }
      expect(read).toEqual([state("device", "B", "{}"), state("device", "a", '{"x":1}'), state("host", "h", "{}")]);
    });

    test("what ended long ago is deleted with its changes, and what never fired after an hour", async () => {
      const leader = await Leader.of(store);
      const ended = (uuid: string, agoMs: number, first: FaultState = "firing") => {
        const startedAtMs = Date.now() - agoMs - minute;
        const at = { startedAtMs, atMs: Date.now() - agoMs };
        return [change(uuid, first, at), change(uuid, "resolved", at)];
      };
      const told = [
        ...ended("gone", 400 * dayMs),
        ...ended("kept", 300 * dayMs),
        ...ended("never-fired", 2 * 3_600_000, "pending"),
        change("lasting", "firing", { startedAtMs: Date.now() - 500 * dayMs }),
      ];
      await leader.tell(...told);
      await store.ledger.deleteOld(0);
      const uuids = async () => {
        const changes = await store.queries.news({ after: 0, limit: 10_000 });
        const found = new Set(changes.news.map(({ fault }) => fault.subject.uuid));
        return ["gone", "kept", "never-fired", "lasting"].filter((uuid) => found.has(uuid));
      };
      expect(await uuids()).toEqual(["gone", "kept", "lasting"]);
      while (await store.ledger.deleteOld(365)) continue;
      expect(await uuids()).toEqual(["kept", "lasting"]);
    });
  });
}
