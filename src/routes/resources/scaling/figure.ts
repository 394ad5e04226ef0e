import { type Static, Type } from "@sinclair/typebox";
import type { RecordedScaling, ScalingFigures } from "../../../scaling/coordinator/scaling-records.ts";
import { ApiError, notFound } from "../../http/api-error.ts";

/** How each figure is read from what the coordinator has published. */
const figures: Readonly<Record<string, (published: ScalingFigures) => number | undefined>> = {
  backlog: ({ backlogMessages }) => backlogMessages,
  oldest_age_seconds: ({ oldestAgeSeconds }) => oldestAgeSeconds,
  desired_streamers: ({ desired }) => desired.streamer,
  desired_collectors: ({ desired }) => desired.collector,
  desired_gateways: ({ desired }) => desired.gateway,
};

/** The figures that autoscalers can read as plain numbers. */
export const figureNames = Object.keys(figures);

/** A figure as KEDA's metrics-api scaler reads it: its valueLocation is `value`. */
export const figureSchema = Type.Object(
  { value: Type.Number({ minimum: 0, description: "The figure" }) },
  { $id: "ScalingFigure", additionalProperties: false, description: "A plain number", examples: [{ value: 12 }] },
);

/** A figure that was decided longer ago is unknown: its coordinator no longer decides. */
const maxAgeSeconds = 30;

/** @throws ApiError with status 404 if there is no such figure; with status 503 if the figure is not known: an autoscaler must
 *  not read 0 instead */
export function figureOf(name: string, recorded: RecordedScaling, nowMs: number): Static<typeof figureSchema> {
  const read = Object.hasOwn(figures, name) ? figures[name] : undefined;
  if (read === undefined) throw notFound("figure", { figure: name });
  const { leader, state } = recorded;
  if (leader === undefined || state === undefined) {
    throw unknownFigure(name, "no coordinator leads; start a process with ROLE=coordinator");
  }
  const ageSeconds = (nowMs - Date.parse(state.as_of)) / 1000;
  if (ageSeconds > maxAgeSeconds) {
    const age = `the coordinator decided last ${Math.round(ageSeconds)} s ago, over ${maxAgeSeconds} s`;
    throw unknownFigure(name, `${age}, or its clock differs from this gateway's`);
  }
  const value = read(recorded.figures);
  if (value === undefined) throw unknownFigure(name, "the coordinator could not read it");
  return { value };
}

function unknownFigure(name: string, reason: string): ApiError {
  return new ApiError(503, "figure_unknown", {
    message: `The figure ${name} is not known: ${reason}`,
    details: { figure: name, reason },
  });
}
