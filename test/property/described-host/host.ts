import fc from "fast-check";
import { measures } from "./measures.ts";

/** A value of a measure in our unit; "blank" for one that the exporter prints as a blank; undefined if it prints none. */
export type Measured = number | "blank" | undefined;
export type Values = Readonly<Record<string, Measured>>;

export interface Pod {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** A MIG instance. */
export interface Instance {
  readonly id: number;
  readonly profile: string;
  readonly values: Values;
  readonly pod: Pod | undefined;
}

/** A GPU as it is at the time of a scrape. */
export interface DescribedGpu {
  readonly uuid: string;
  readonly index: number;
  readonly values: Values;
  /** Empty if the GPU is not divided. */
  readonly instances: readonly Instance[];
  /** The pods that share the whole GPU. */
  readonly pods: readonly Pod[];
  /** The jobs of a scheduler of HPC. */
  readonly jobs: readonly string[];
}

export const model = "NVIDIA H100 80GB HBM3";
export const driver = "590.48.01";

const uuidOf = (gpu: number): string => `GPU-7a2e92f${gpu}-be71-d37e-a744-541600ffc722`;

const values: fc.Arbitrary<Values> = fc.record(
  Object.fromEntries(
    measures.map(({ ours, values: some }) => [
      ours,
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom<Measured[]>(...some) },
        { weight: 1, arbitrary: fc.constantFrom<Measured[]>("blank", undefined) },
      ),
    ]),
  ),
);

const pod: fc.Arbitrary<Pod> = fc.nat({ max: 4 }).map((number) => ({
  ...{ namespace: number % 2 === 0 ? "ml" : "dev", pod: `job-${number}`, container: "trainer" },
}));

const instances: fc.Arbitrary<readonly Instance[]> = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 1, max: 9 }),
    profile: fc.constantFrom("1g.10gb", "2g.20gb"),
    values,
    pod: fc.option(pod, { nil: undefined }),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 3 },
);

const gpu = fc.record({
  values,
  instances: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: instances }),
  pods: fc.uniqueArray(pod, { selector: (each) => each.pod, maxLength: 3 }),
  jobs: fc.uniqueArray(fc.constantFrom("17", "18", "19"), { maxLength: 2 }),
});

/** The GPUs of a host, some of which may be gone, and whose indexes may be others than at the time before. */
export const host: fc.Arbitrary<readonly DescribedGpu[]> = fc
  .tuple(fc.array(gpu, { minLength: 3, maxLength: 3 }), fc.subarray([0, 1, 2], { minLength: 1 }), fc.boolean())
  .map(([gpus, present, isTurned]) =>
    present.map((number) => ({
      ...(gpus[number] as (typeof gpus)[number]),
      uuid: uuidOf(number),
      index: isTurned ? 2 - number : number,
    })),
  );
