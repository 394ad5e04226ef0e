import { expect, test } from "bun:test";
import fc from "fast-check";
import { shareChanges, type ShareView } from "../../src/pipeline/stream/assignment/target-shares.ts";

interface World {
  readonly members: Set<string>;
  readonly owners: Map<string, string>;
}

const none: ReadonlySet<string> = new Set();
const names = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** What a member sees of a world, which may be older than the present one. */
function viewOf(me: string, known: readonly string[], { members, owners }: World): ShareView {
  const ownerOf = (target: string): string | undefined => owners.get(target);
  return { me, known, ownerOf, members, giving: none, unwanted: none, adrift: none, isStalled: false };
}

function copyOf({ members, owners }: World): World {
  return { members: new Set(members), owners: new Map(owners) };
}

/** Makes the changes that a member wants, from what it sees of an earlier world. A process always knows what it has itself.
 *  @returns the number of claims and of releases */
function turn(me: string, { world, seen, known }: Turn): { claims: number; releases: number } {
  const owners = new Map(seen.owners);
  for (const target of known) {
    if (world.owners.get(target) === me) owners.set(target, me);
    else if (owners.get(target) === me) owners.delete(target);
  }
  const { claim, release } = shareChanges(viewOf(me, known, { members: seen.members, owners }));
  const claimed = claim.filter((target) => !world.owners.has(target));
  for (const target of claimed) world.owners.set(target, me);
  for (const target of release) world.owners.delete(target);
  return { claims: claimed.length, releases: release.length };
}

interface Turn {
  readonly world: World;
  readonly seen: World;
  readonly known: readonly string[];
}

/** Lets members decide in turn with present views, until none wants a change. @returns the number of claims */
function settle(world: World, known: readonly string[]): number {
  let claims = 0;
  for (let rounds = 0; ; rounds += 1) {
    expect(rounds).toBeLessThan(10);
    const changes = [...world.members].map((me) => turn(me, { world, seen: copyOf(world), known }));
    claims += changes.reduce((sum, change) => sum + change.claims, 0);
    if (changes.every((change) => change.claims + change.releases === 0)) return claims;
  }
}

/** Lets members decide in a random order, with views that may be some changes old. */
function stir(world: World, known: readonly string[], nextNumber: () => number): void {
  const history = [copyOf(world)];
  for (let turns = 0; turns < 20; turns += 1) {
    const me = [...world.members][nextNumber() % world.members.size] as string;
    const seen = history[Math.max(0, history.length - 1 - (nextNumber() % 4))] as World;
    turn(me, { world, seen, known });
    history.push(copyOf(world));
  }
}

function expectEven({ members, owners }: World, known: readonly string[]): void {
  const counts = [...members].map((member) => known.filter((target) => owners.get(target) === member).length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(known.length);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
}

const steps = fc.array(fc.record({ comes: fc.boolean(), pick: fc.nat() }), { minLength: 1, maxLength: 6 });

test("whatever members come and go, and however old their views are, all targets are owned, evenly, and nothing moves any more", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      steps,
      fc.infiniteStream(fc.nat({ max: 1000 })),
      (count, changes, random) => {
        const known = names(count, "target-");
        const world: World = { members: new Set(["m0"]), owners: new Map() };
        const nextNumber = (): number => random.next().value as number;
        for (const [index, { comes, pick }] of changes.entries()) {
          if (comes || world.members.size === 1) world.members.add(`m${pick % 50}-${index}`);
          else {
            const gone = [...world.members][pick % world.members.size] as string;
            world.members.delete(gone);
            for (const [target, owner] of world.owners) if (owner === gone) world.owners.delete(target);
          }
          stir(world, known, nextNumber);
          settle(world, known);
          expectEven(world, known);
        }
      },
    ),
    { numRuns: 150 },
  );
}, 30_000);

test("only the excess moves when a member comes, and only what a member had when it goes", () => {
  const known = names(100, "target-");
  const world: World = { members: new Set(["a"]), owners: new Map() };
  const settled = (): number => settle(world, known);
  settled();
  world.members.add("b");
  expect(settled()).toBe(50);
  world.members.add("c");
  expect(settled()).toBe(33);
  world.members.delete("b");
  const had = [...world.owners].filter(([, owner]) => owner === "b").map(([target]) => target);
  for (const target of had) world.owners.delete(target);
  expect(settled()).toBe(had.length);
  expectEven(world, known);
});

test("a target that only one process knows is scraped by it, although its share is full, and is not offered again and again", () => {
  const known = names(10, "target-");
  const owners = new Map(known.slice(0, 5).map((target) => [target, "a"]));
  const view = viewOf("a", known, { members: new Set(["a", "b"]), owners });
  expect(shareChanges(view)).toEqual({ claim: [], release: [] });
  const { claim } = shareChanges({ ...view, isStalled: true });
  expect(claim.toSorted()).toEqual(known.slice(5));
  const all = new Map(known.map((target) => [target, "a"]));
  const unwanted = new Set(claim);
  const later = shareChanges({ ...viewOf("a", known, { members: new Set(view.members), owners: all }), unwanted });
  expect(later.release).toHaveLength(5);
  expect(later.release.some((target) => unwanted.has(target))).toBe(false);
});

test("a process claims the targets that it had before it lost its lease before others", () => {
  const known = names(20, "target-");
  const adrift = new Set(["target-3", "target-17"]);
  const view = viewOf("a", known, { members: new Set(["a", "b"]), owners: new Map() });
  expect(new Set(shareChanges({ ...view, adrift }).claim.slice(0, 2))).toEqual(adrift);
});

test("the targets of a process that stops are nobody's until it has released them", () => {
  const known = names(4, "target-");
  const owners = new Map(known.map((target) => [target, "stopping"]));
  expect(shareChanges(viewOf("a", known, { members: new Set(["a"]), owners }))).toEqual({ claim: [], release: [] });
});
