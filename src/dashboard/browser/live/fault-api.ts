import type { components } from "../../../../clients/typescript/src/generated/schema.ts";
import { faultCountText, type FaultState, faultShows, mostFaults } from "../../model/fault-state.ts";
import type { TimeWindow } from "../../model/time-choice.ts";
import { nowMs } from "../clock.ts";
import { dataOf, readMe } from "./answer-data.ts";
import { read } from "./gateway-api.ts";
import type { LiveAnswers } from "./live-answers.ts";

type Schemas = components["schemas"];
export type Fault = Schemas["Fault"];
export type FaultRule = Schemas["FaultRule"];
export type Silence = Schemas["FaultSilence"];

const dayMs = 86_400_000;

/** Faults, and why some may be missing. */
export interface FoundFaults {
  readonly data: readonly Fault[];
  readonly notice?: string;
}

/** What the page of faults asks. */
export function faultQuestions({ show, severity }: FaultState) {
  return {
    found: () =>
      read<FoundFaults>("/api/v1/faults", {
        state: faultShows[show].states.join(","),
        limit: String(mostFaults),
        ...(severity === undefined ? {} : { severity }),
        ...(show === "ended" ? { start_time: new Date(nowMs() - dayMs).toISOString() } : {}),
      }),
    silences: () => dataOf<readonly Silence[]>("/api/v1/silences"),
    me: readMe,
  };
}

/** What the page of faults follows. */
export type LiveFaults = LiveAnswers<ReturnType<typeof faultQuestions>>;

/** The faults of a device that fired in a window. */
export async function readFaultsOf(uuid: string, { fromMs, toMs }: TimeWindow): Promise<readonly Fault[]> {
  const found = await dataOf<readonly Fault[]>("/api/v1/faults", {
    ...{ gpu_uuid: uuid, limit: String(mostFaults), state: "firing,acknowledged,resolved" },
    ...{ start_time: new Date(fromMs).toISOString(), end_time: new Date(toMs).toISOString() },
  });
  return found.filter(({ fired_at: firedAt }) => firedAt !== undefined);
}

/** The rule with this id; undefined if it does not exist any more. */
export async function readFaultRule(ruleId: string): Promise<FaultRule | undefined> {
  return (await dataOf<readonly FaultRule[]>("/api/v1/faults/rules")).find(({ id }) => id === ruleId);
}

/** How many faults fire, and how many of them are critical. */
export interface FiringFaults {
  readonly all: string;
  readonly critical: string;
  /** Why some may be missing. */
  readonly notice: string | undefined;
}

/** Counts the faults that fire now. */
export async function countFiringFaults(): Promise<FiringFaults> {
  const query = { state: "firing", limit: String(mostFaults) };
  const { data: firing, notice } = await read<FoundFaults>("/api/v1/faults", query);
  const newestCritical = firing.filter(({ severity }) => severity === "critical");
  const critical =
    firing.length < mostFaults
      ? newestCritical
      : await dataOf<readonly Fault[]>("/api/v1/faults", { ...query, severity: "critical" });
  return { all: faultCountText(firing.length), critical: faultCountText(critical.length), notice };
}

/** Says that a person has seen a fault. @returns what became of that */
export async function acknowledge(id: string, comment: string): Promise<string> {
  const path = `/api/v1/faults/${encodeURIComponent(id)}/acknowledge`;
  const query = comment === "" ? {} : { comment };
  const { data } = await read<{ readonly data: Schemas["FaultOrder"] }>(path, query, "POST");
  if (data.outcome !== "done") return data.message;
  // an event, such as an XID, is over once a person has seen it
  return data.fault?.ended_at === undefined
    ? "The fault is acknowledged."
    : "The fault is acknowledged, and has ended with that.";
}

/** Notifies no one of a fault of this name at this place, until an instant. */
export async function silence({ name, uuid, hostname }: Fault, reason: string, untilMs: number): Promise<void> {
  const place = uuid !== undefined ? { gpu_uuid: uuid } : hostname !== undefined ? { hostname } : {};
  const query = { name, ...place, reason, end_time: new Date(untilMs).toISOString() };
  await read("/api/v1/silences", query, "POST");
}

/** Ends a silence. */
export const endSilence = (id: number): Promise<unknown> => read(`/api/v1/silences/${id}`, {}, "DELETE");
