import type { Clock } from "../../src/kit/clock.ts";
import type { ExporterFaults } from "./exporter-faults.ts";
import type { FaultKind } from "./faults.ts";
import type { ServedFleet } from "./served-fleet.ts";
import type { SimulatedExporter } from "./simulated-exporter.ts";

/** An exporter of the fleet, with its faults. */
export interface ScrapedExporter {
  readonly exporter: Pick<SimulatedExporter, "text" | "gzip">;
  readonly faults: ExporterFaults;
  readonly fleet: Pick<ServedFleet, "catchUp">;
  readonly clock: Clock;
}

const contentType = "text/plain; version=0.0.4; charset=utf-8";
/** So long after its first half, the answer is reset: the half has been sent by then. */
const resetAfterMs = 5;

/** Answers a scrape, with the faults of this answer.
 *  @param signal ends the wait of a slow answer */
export async function answerScrape(
  request: Request,
  { exporter, faults, fleet, clock }: ScrapedExporter,
  signal: AbortSignal,
): Promise<Response> {
  const ofAnswer = faults.ofNextAnswer(clock.nowMs());
  for (const fault of ofAnswer) if (fault.kind === "slow") await clock.sleep(fault.delayMs, signal);
  for (const fault of ofAnswer) if (fault.kind === "status") return new Response("", { status: fault.status });
  const state = { tick: fleet.catchUp(), faults: faults.lasting(clock.nowMs()), chosen: faults.chosen };
  const has = (kind: FaultKind["kind"]): boolean => ofAnswer.some((fault) => fault.kind === kind);
  if (has("half"))
    return new Response(halfThenReset(exporter.text(state)), { headers: { "content-type": contentType } });
  if (has("cut")) return new Response(firstHalf(exporter.text(state)), { headers: { "content-type": contentType } });
  if (request.headers.get("accept-encoding")?.includes("gzip") !== true) {
    return new Response(exporter.text(state), { headers: { "content-type": contentType } });
  }
  const headers = { "content-type": contentType, "content-encoding": "gzip" };
  return new Response(exporter.gzip(state), { headers });
}

/** About half of the text, to the middle of a line. */
function firstHalf(text: string): string {
  const start = text.lastIndexOf("\n", text.length / 2) + 1;
  return text.slice(0, start + Math.ceil((text.indexOf("\n", start) - start) / 2));
}

function halfThenReset(text: string): ReadableStream {
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(firstHalf(text)));
      await Bun.sleep(resetAfterMs);
      controller.error();
    },
  });
}
