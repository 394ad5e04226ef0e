import { hourMs } from "../../src/domain/time-range.ts";
import { firstMs, type FleetSize } from "./fleet.ts";

const at = (ms: number): string => new Date(ms).toISOString();

/** What both gateways are asked. */
function pathsOf({ hours }: FleetSize): string[] {
  const whole = `start_time=${at(firstMs)}&end_time=${at(firstMs + hours * hourMs)}`;
  const minutes = Array.from({ length: hours * 4 }, (_, quarter) => {
    const from = firstMs + quarter * (hourMs / 4);
    return `/api/v1/telemetry?start_time=${at(from)}&end_time=${at(from + 60_000)}`;
  });
  return [
    "/api/v1/gpus?limit=10000",
    "/api/v1/clusters",
    "/api/v1/hosts?limit=10000",
    "/api/v1/telemetry/latest?limit=10000",
    `/api/v1/telemetry?${whole}&resolution=1h`,
    ...minutes,
  ];
}

/** Asks two gateways the same, as NDJSON of a whole list. @returns the paths to which they answer differently */
export async function compareAnswers(urls: readonly [string, string], size: FleetSize): Promise<string[]> {
  const differences: string[] = [];
  for (const path of pathsOf(size)) {
    const [one, other] = await Promise.all([answerOf(urls[0] + path), answerOf(urls[1] + path)]);
    if (one !== other) differences.push(`the gateways' answers to ${path}: ${firstDifference(one, other)}`);
  }
  return differences;
}

async function answerOf(url: string): Promise<string> {
  const answer = await fetch(url, { headers: { Accept: "application/x-ndjson" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.text();
}

function firstDifference(one: string, other: string): string {
  const [lines, others] = [one.split("\n"), other.split("\n")];
  const index = lines.findIndex((line, nth) => line !== others[nth]);
  return `${lines[index] ?? "nothing more"} and ${others[index] ?? "nothing more"}`;
}
