import { expect, test } from "bun:test";
import fc from "fast-check";
import { migInstanceOf, migUuid, migUuidPattern } from "../../src/domain/mig-instance.ts";

const text = fc.oneof(
  fc.constantFrom("GPU-0", "GPU-0.", "GPU-01", "GPU+0", "GPU-0:mig:3:1g.10gb", "%", "a b", "é"),
  fc.string({ minLength: 1, maxLength: 6 }),
);
const instances = fc.record({ parentUuid: text, instanceId: text, profile: fc.oneof(fc.constant(""), text) });

test("a MIG instance's uuid says again what it was made from", () => {
  fc.assert(fc.property(instances, (instance) => expect(migInstanceOf(migUuid(instance))).toEqual(instance)));
});

test("the pattern of a GPU matches the uuids of its own instances, and no other uuid", () => {
  const property = fc.property(instances, text, (instance, uuid) => {
    const pattern = new RegExp(migUuidPattern(uuid));
    expect(pattern.test(migUuid(instance))).toBe(uuid === instance.parentUuid);
    expect(pattern.test(uuid)).toBe(false);
    expect(new RegExp(migUuidPattern(instance.parentUuid)).test(migUuid(instance))).toBe(true);
  });
  fc.assert(property, { numRuns: 2000 });
});
