import { expect, test } from "bun:test";
import fc from "fast-check";
import { migInstanceOf, migUuid } from "../../src/domain/mig-instance.ts";

test("an instance's uuid names its GPU, its id and its profile", () => {
  const instance = { parentUuid: "GPU-75ca836f", instanceId: "3", profile: "1g.10gb" };
  expect(migUuid(instance)).toBe("GPU-75ca836f:mig:3:1g.10gb");
  expect(migInstanceOf("GPU-75ca836f:mig:3:1g.10gb")).toEqual(instance);
  expect(migUuid({ ...instance, profile: "1g.10gb+me" })).toBe("GPU-75ca836f:mig:3:1g.10gb+me");
  expect(migUuid({ ...instance, profile: "" })).toBe("GPU-75ca836f:mig:3:");
});

test("different instances have different uuids, and a uuid gives back its instance, with any characters", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "3", ":", "%", "/", " ", "é", "😀", "mig", "-", "."),
    minLength: 1,
    maxLength: 6,
  });
  const instances = fc.record({ parentUuid: text, instanceId: text, profile: fc.oneof(text, fc.constant("")) });
  fc.assert(
    fc.property(instances, (instance) => {
      const uuid = migUuid(instance);
      expect(migInstanceOf(uuid)).toEqual(instance);
      expect(uuid).toMatch(/^[A-Za-z0-9._+%-]+:mig:[A-Za-z0-9._+%-]+:[A-Za-z0-9._+%-]*$/);
    }),
  );
});

test.each([
  "GPU-75ca836f",
  "MIG-6f1c:3:0",
  "GPU-1:mig:3",
  "GPU-1:mig::1g.10gb",
  ":mig:3:1g.10gb",
  "GPU-1:mig:3:1g.10gb:x",
  "GPU-1:mig:%33:1g.10gb",
  "GPU-1:mig:%:1g.10gb",
  "GPU/1:mig:3:1g.10gb",
])("%p is the uuid of no MIG instance", (uuid) => {
  expect(migInstanceOf(uuid)).toBeUndefined();
});
