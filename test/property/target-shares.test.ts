import { expect, test } from "bun:test";
import fc from "fast-check";
import { targetHash, TargetSet } from "../../src/pipeline/stream/assignment/target-set.ts";
import { shareChanges, type ShareView } from "../../src/pipeline/stream/assignment/target-shares.ts";

interface World {
  /** What each member knows. */
  readonly members: Map<string, readonly string[]>;
  readonly owners: Map<string, string>;
}

const none: ReadonlySet<string> = new Set();
const names = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** What a member sees of a world, which may be older than the present one. */
function viewOf(me: string, { members, owners }: World): ShareView {
  return {
    ...{ me, giving: none, unwanted: none, adrift: none, isStalled: false },
    known: new Map((members.get(me) ?? []).map((target) => [target, targetHash(target)])),
    members: new Map([...members].map(([member, known]) => [member, new TargetSet(known.map(targetHash))])),
    ownerOf: (target) => owners.get(target),
    owners: new Map([...owners].map(([target, owner]) => [targetHash(target), owner])),
  };
}

function worldOf(members: Readonly<Record<string, readonly string[]>>): World {
  return { members: new Map(Object.entries(members)), owners: new Map() };
}

function copyOf({ members, owners }: World): World {
  return { members: new Map(members), owners: new Map(owners) };
}

/** Makes the changes that a member wants, from what it sees of an earlier world. A process always knows what it has itself.
 *  @returns the number of claims and of releases */
function turn(me: string, world: World, seen: World): { claims: number; releases: number } {
  const owners = new Map([...seen.owners].filter(([, owner]) => owner !== me));
  for (const [target, owner] of world.owners) if (owner === me) owners.set(target, me);
  const { claim, release } = shareChanges(viewOf(me, { members: seen.members, owners }));
  const claimed = claim.filter((target) => !world.owners.has(target));
  for (const target of claimed) world.owners.set(target, me);
  for (const target of release) world.owners.delete(target);
  return { claims: claimed.length, releases: release.length };
}

/** Lets members decide in turn with present views, until none wants a change. @returns the number of claims */
function settle(world: World): number {
  let claims = 0;
  for (let rounds = 0; ; rounds += 1) {
    expect(rounds).toBeLessThan(20);
    const changes = [...world.members.keys()].map((me) => turn(me, world, copyOf(world)));
    claims += changes.reduce((sum, change) => sum + change.claims, 0);
    if (changes.every((change) => change.claims + change.releases === 0)) return claims;
  }
}

/** Lets members decide in a random order, with views that may be some changes old. */
function stir(world: World, nextNumber: () => number): void {
  const history = [copyOf(world)];
  const members = [...world.members.keys()];
  for (let turns = 0; turns < 20; turns += 1) {
    const me = members[nextNumber() % members.length] as string;
    const seen = history[Math.max(0, history.length - 1 - (nextNumber() % 4))] as World;
    if (seen.members.has(me)) turn(me, world, seen);
    history.push(copyOf(world));
  }
}

/** The number of targets of each member, the greatest first. */
function loadsOf({ members, owners }: World): number[] {
  const loads = new Map([...members.keys()].map((member) => [member, 0]));
  for (const owner of owners.values()) loads.set(owner, (loads.get(owner) ?? 0) + 1);
  return [...loads.values()].sort((a, b) => b - a);
}

/** The even loads by a slow method: each target comes in turn, and moves make space for it as long as that helps. */
function evenLoads({ members }: World): number[] {
  const world: World = { members, owners: new Map() };
  const knows = (member: string, target: string): boolean => members.get(member)?.includes(target) === true;
  const moveTo = (member: string, seen: Set<string>, limit: number): boolean => {
    const load = [...world.owners.values()].filter((owner) => owner === member).length;
    if (load < limit) return true;
    for (const [target, owner] of world.owners) {
      if (owner !== member) continue;
      for (const other of members.keys()) {
        if (seen.has(other) || !knows(other, target)) continue;
        seen.add(other);
        if (!moveTo(other, seen, limit)) continue;
        world.owners.set(target, other);
        return true;
      }
    }
    return false;
  };
  for (const target of new Set([...members.values()].flat())) {
    for (let limit = 1; !world.owners.has(target); limit += 1) {
      for (const member of members.keys()) {
        if (world.owners.has(target) || !knows(member, target)) continue;
        if (moveTo(member, new Set([member]), limit)) world.owners.set(target, member);
      }
    }
  }
  return loadsOf(world);
}

function expectEven(world: World): void {
  for (const target of new Set([...world.members.values()].flat())) {
    const owner = world.owners.get(target);
    expect({ target, isKnown: world.members.get(owner ?? "")?.includes(target) }).toEqual({ target, isKnown: true });
  }
  expect(loadsOf(world)).toEqual(evenLoads(world));
}

const steps = fc.array(fc.record({ comes: fc.boolean(), pick: fc.nat() }), { minLength: 1, maxLength: 6 });

test("whatever members come and go, whatever targets each knows, and however old their views are: all targets are owned by members that know them, as evenly as possible, and nothing moves any more", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 }),
      steps,
      fc.infiniteStream(fc.nat({ max: 1000 })),
      (sizes, changes, random) => {
        const parts = sizes.map((size, part) => names(size, `part-${part}-`));
        const nextNumber = (): number => random.next().value as number;
        // most members know most parts, as while a file is distributed
        const someParts = (): string[] => parts.filter(() => nextNumber() % 4 > 0).flat();
        const world = worldOf({ m0: parts.flat() });
        for (const [index, { comes, pick }] of changes.entries()) {
          const chosen = [...world.members.keys()][pick % world.members.size] as string;
          if (comes || world.members.size === 1) world.members.set(`m${pick % 50}-${index}`, someParts());
          else if (pick % 3 === 0) world.members.set(chosen, someParts());
          else {
            world.members.delete(chosen);
            for (const [target, owner] of world.owners) if (owner === chosen) world.owners.delete(target);
          }
          // an owner ends a target that is no longer in its list
          for (const [target, owner] of world.owners) {
            if (world.members.get(owner)?.includes(target) !== true) world.owners.delete(target);
          }
          stir(world, nextNumber);
          for (const [target, owner] of world.owners) {
            if (world.members.get(owner)?.includes(target) !== true) world.owners.delete(target);
          }
          settle(world);
          expectEven(world);
        }
      },
    ),
    { numRuns: 60 },
  );
}, 30_000);

test("only the excess moves when a member comes, and only what a member had when it goes", () => {
  const known = names(100, "target-");
  const world = worldOf({ a: known });
  settle(world);
  world.members.set("b", known);
  expect(settle(world)).toBe(50);
  world.members.set("c", known);
  expect(settle(world)).toBe(33);
  world.members.delete("b");
  const had = [...world.owners].filter(([, owner]) => owner === "b").map(([target]) => target);
  for (const target of had) world.owners.delete(target);
  expect(settle(world)).toBe(had.length);
  expectEven(world);
});

test("targets that only one member knows are no excess: it gives others only what they know, and takes nothing back", () => {
  const known = names(10, "target-");
  const world = worldOf({ a: known });
  settle(world);
  world.members.set("b", known.slice(0, 3));
  expect(settle(world)).toBe(3);
  expect(known.filter((target) => world.owners.get(target) === "b")).toEqual(known.slice(0, 3));
  for (const me of ["a", "b"]) expect(shareChanges(viewOf(me, world))).toEqual({ claim: [], release: [] });
});

test("a member gives way to one with few targets by way of a third: a and c have no target in common", () => {
  const [left, right] = [names(8, "left-"), names(8, "right-")];
  const world = worldOf({ a: left, b: [...left, ...right] });
  settle(world);
  expect(loadsOf(world)).toEqual([8, 8]);
  world.members.set("c", right);
  settle(world);
  expect(loadsOf(world)).toEqual([6, 5, 5]);
});

test("members whose sets are not known may know every target", () => {
  const known = names(10, "target-");
  const world = worldOf({ a: known });
  settle(world);
  const view = viewOf("a", world);
  const { release } = shareChanges({ ...view, members: new Map([...view.members, ["b", undefined]]) });
  expect(release).toHaveLength(5);
});

test("targets that no other process claims are claimed by a process that knows them, although its share is full, and are not offered again and again", () => {
  const known = names(10, "target-");
  const world = worldOf({ a: known, b: known });
  for (const target of known.slice(0, 5)) world.owners.set(target, "a");
  const view = viewOf("a", world);
  expect(shareChanges(view)).toEqual({ claim: [], release: [] });
  const { claim } = shareChanges({ ...view, isStalled: true });
  expect(claim.toSorted()).toEqual(known.slice(5));
  for (const target of claim) world.owners.set(target, "a");
  expect(shareChanges({ ...viewOf("a", world), unwanted: new Set(claim) }).release).toEqual([]);
});

test("two targets with one hash are both read", () => {
  const view = viewOf("a", worldOf({ a: ["x", "y"] }));
  const known = new Map([...view.known.keys()].map((target) => [target, 7]));
  const collided = { ...view, known, members: new Map([["a", new TargetSet([7])]]) };
  const [first = ""] = shareChanges(collided).claim;
  const ownerOf = (target: string): string | undefined => (target === first ? "a" : undefined);
  const later = { ...collided, ownerOf, owners: new Map([[7, "a"]]) };
  expect(shareChanges(later)).toEqual({ claim: [], release: [] });
  expect(shareChanges({ ...later, isStalled: true }).claim).toHaveLength(1);
});

test("a process claims the targets that it had before it lost its lease before others", () => {
  const known = names(20, "target-");
  const adrift = new Set(["target-3", "target-17"]);
  const view = viewOf("a", worldOf({ a: known, b: known }));
  expect(new Set(shareChanges({ ...view, adrift }).claim.slice(0, 2))).toEqual(adrift);
});

test("the targets of a process that stops are nobody's until it has released them", () => {
  const known = names(4, "target-");
  const world = worldOf({ a: known });
  for (const target of known) world.owners.set(target, "stopping");
  expect(shareChanges(viewOf("a", world))).toEqual({ claim: [], release: [] });
});

test("a set of 12,500 targets takes 75 kB in etcd, and is the same when it is read again", () => {
  const set = new TargetSet(names(12_500, "scrape:local-cluster:mtv5-dgx1-hgpu-").map(targetHash));
  expect(set.bytes.length).toBe(75_000);
  const read = TargetSet.read(Buffer.from(set.bytes));
  expect(read?.digest).toBe(set.digest);
  expect([...(read?.hashes ?? [])]).toEqual([...set.hashes]);
});
