import { expect, test } from "bun:test";
import type { Occupants } from "../../src/domain/gpu.ts";
import { jobOf } from "../../src/faults/evaluator/job-of.ts";
import { held } from "./scripted-fleet.ts";

const none: Occupants = [];
const cases: readonly (readonly [job: string, properties: Record<string, string>, occupants: Occupants])[] = [
  ["", {}, none],
  ["team/train", {}, held("train-0")],
  ["team/train", {}, held("train-12")],
  ["team/train", {}, held("train-3-x7k2p")],
  ["team/llm", {}, held("llm-master-0")],
  ["team/llm", {}, held("llm-worker-15")],
  ["team/llm", {}, held("llm-launcher-0-x7k2p")],
  ["team/notebook", {}, held("notebook")],
  // one pod, which is called like this
  ["team/my-worker", {}, held("my-worker")],
  // pods of a deployment serve other requests each
  ["team/chat-7d9f8b6c5d-x2x4z", {}, held("chat-7d9f8b6c5d-x2x4z")],
  // several share the GPU
  ["", {}, [...held("train-0"), ...held("notebook")]],
  ["4711", { hpc_job: "4711" }, none],
  ["4711", { slurm_job_id: "4711" }, none],
  ["4711", { job_id: "4711" }, held("train-0")],
  // no job; and the name of the scrape
  ["team/train", { hpc_job: "0", job: "dcgm" }, held("train-0")],
  ["", { job_id: "None", job: "dcgm" }, none],
];

for (const [job, properties, occupants] of cases) {
  const of = [...Object.entries(properties).map((pair) => pair.join("=")), ...occupants.map(({ pod }) => pod)];
  test(`the job of ${of.join(", ") || "an idle GPU"} is ${job || "unknown"}`, () => {
    expect(jobOf({ properties }, occupants)).toBe(job);
  });
}
