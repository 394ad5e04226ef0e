import type { components } from "../../../../clients/typescript/src/generated/schema.ts";
import { dataOf, readMe } from "./answer-data.ts";
import { read } from "./gateway-api.ts";
import type { LiveAnswers } from "./live-answers.ts";

type Schemas = components["schemas"];
export type Pipeline = Schemas["Pipeline"];
export type Service = Schemas["ServiceInstance"];
export type Scaling = Schemas["Scaling"];
export type Target = Schemas["Target"];
export type DeadLetter = Schemas["DeadLetter"];
export type Rejection = Schemas["Rejection"];
export type Coverage = Schemas["Coverage"];

/** The parts of the pipeline page, and how each is read. */
export const pipelineQuestions = {
  pipeline: () => dataOf<Pipeline>("/api/v1/pipeline"),
  services: () => dataOf<readonly Service[]>("/api/v1/services"),
  scaling: () => dataOf<Scaling>("/api/v1/scaling"),
  targets: () => dataOf<readonly Target[]>("/api/v1/targets"),
  deadLetters: () => dataOf<readonly DeadLetter[]>("/api/v1/pipeline/dead-letters", { limit: "500" }),
  rejections: () => dataOf<readonly Rejection[]>("/api/v1/quarantine", { limit: "50" }),
  coverage: () => dataOf<readonly Coverage[]>("/api/v1/coverage", { by: "cluster", step: "total" }),
  me: readMe,
};

/** What the pipeline page follows. */
export type LivePipeline = LiveAnswers<typeof pipelineQuestions>;

/** Delivers a dead letter again. */
export const redrive = (id: string) =>
  change(`/api/v1/pipeline/dead-letters/${encodeURIComponent(id)}/redrive`, "POST");

/** Deletes a dead letter and its records for good. */
export const deleteLetter = (id: string) => change(`/api/v1/pipeline/dead-letters/${encodeURIComponent(id)}`, "DELETE");

/** Reads a rejected row of a file again. */
export const redriveRejection = (id: number) => change(`/api/v1/quarantine/${id}/redrive`, "POST");

/** Deletes a rejected input for good. */
export const deleteRejection = (id: number) => change(`/api/v1/quarantine/${id}`, "DELETE");

const change = (path: string, method: string): Promise<unknown> => read(path, {}, method);

/** True if the fleet's records are made up, by the simulated fleet. False for a caller who may not see what is read. */
export async function readIsSimulated(): Promise<boolean> {
  const targets = await dataOf<readonly Target[]>("/api/v1/targets", { limit: "10" }).catch(() => []);
  return targets.length > 0 && targets.every(({ kind }) => kind === "simulated");
}
