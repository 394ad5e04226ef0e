import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Gpu, occupantsOf } from "../../src/domain/gpu.ts";
import { type GpuSelector, selectorKey, selectsGpu } from "../../src/domain/gpu-selector.ts";

const name = fc.constantFrom("a", "b");
const selectors: fc.Arbitrary<GpuSelector> = fc.record(
  {
    uuids: fc.array(name, { maxLength: 2 }),
    parentUuid: name,
    clusterId: name,
    hostname: name,
    gpuId: fc.nat(1),
    modelName: name,
    namespace: name,
  },
  { requiredKeys: [] },
);
// the values of the fields are independent, so that a comparison of the wrong fields is detected
const gpus: fc.Arbitrary<Gpu> = fc.record({
  uuid: fc.constantFrom("a", "b", "a:mig:3:1g.10gb", "b:mig:a:"),
  clusterId: name,
  hostname: name,
  gpuId: fc.nat(1),
  modelName: name,
  device: name,
  driverVersion: name,
  properties: fc.constant({}),
});
const workloads = fc.option(fc.record({ container: name, pod: name, namespace: fc.constantFrom("a", "b", "") }), {
  nil: undefined,
});

test("a selector selects the GPUs that match all of its fields", () => {
  const property = fc.property(selectors, gpus, workloads, (selector, gpu, workload) => {
    const fits = [
      selector.uuids === undefined || selector.uuids.includes(gpu.uuid),
      selector.parentUuid === undefined || gpu.uuid.startsWith(`${selector.parentUuid}:mig:`),
      selector.clusterId === undefined || selector.clusterId === gpu.clusterId,
      selector.hostname === undefined || selector.hostname === gpu.hostname,
      selector.gpuId === undefined || selector.gpuId === gpu.gpuId,
      selector.modelName === undefined || selector.modelName === gpu.modelName,
      selector.namespace === undefined || selector.namespace === workload?.namespace,
    ];
    expect(selectsGpu(selector, gpu, workload && occupantsOf([workload]))).toBe(fits.every(Boolean));
  });
  fc.assert(property, { numRuns: 2000 });
});

test("selectors have equal keys exactly if they differ only in the order of fields, or the order and repetition of uuids", () => {
  const property = fc.property(selectors, selectors, (a, b) => {
    const shuffled = Object.fromEntries(Object.entries(a).reverse()) as GpuSelector;
    const doubled = a.uuids === undefined ? {} : { uuids: [...a.uuids.toReversed(), ...a.uuids] };
    expect(selectorKey({ ...shuffled, ...doubled })).toBe(selectorKey(a));
    const setOf = ({ uuids, ...others }: GpuSelector) => ({ ...others, uuids: uuids && new Set(uuids) });
    expect(selectorKey(a) === selectorKey(b)).toBe(Bun.deepEquals(setOf(a), setOf(b)));
  });
  fc.assert(property, { numRuns: 2000 });
});
