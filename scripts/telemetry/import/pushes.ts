import { createGatewayClient, answerOf, GatewayError, GatewayUnreachable } from "gpu-telemetry-client";
import { systemClock } from "../../../src/kit/clock.ts";
import type { Output } from "../output.ts";
import type { PushableRecord } from "./parquet-records.ts";

/** What became of the records of a push. */
export interface PushResult {
  readonly records: number;
  readonly rejected: readonly { readonly field: string; readonly message: string }[];
  readonly rejectedCount: number;
  /** Columns that are not read. */
  readonly unread: readonly string[];
  /** Metrics whose names are likely misspellings. */
  readonly misspelled: readonly { readonly name: string; readonly meant: string }[];
}

/** A gateway accepts pushes of a MiB whatever its PUSH_MAX_MIB is. */
const pushMaxBytes = 900 * 1024;
/** For so long, a push is sent again to a gateway that has no room or does not answer. */
const patienceMs = 5 * 60_000;
const pauseMs = 2000;

/** Bodies with the records, a record a line, each as large as one push may be. */
export async function* bodiesOf(parts: AsyncIterable<readonly PushableRecord[]>): AsyncGenerator<string, void> {
  let [lines, bytes]: [string[], number] = [[], 0];
  for await (const records of parts) {
    for (const record of records) {
      const line = `${JSON.stringify(record)}\n`;
      const length = Buffer.byteLength(line);
      if (bytes + length > pushMaxBytes && lines.length > 0) {
        yield lines.join("");
        [lines, bytes] = [[], 0];
      }
      lines.push(line);
      bytes += length;
    }
  }
  if (lines.length > 0) yield lines.join("");
}

/** Sends a push until it is taken: what has arrived already is not stored twice.
 *  @throws GatewayError, GatewayUnreachable */
export async function sendPush({ url, headers, tls }: Output, body: string): Promise<PushResult> {
  const init = tls === undefined ? {} : { tls };
  const gateway = createGatewayClient({ baseUrl: url, headers, fetch: (request) => fetch(request, init) });
  const packed = Bun.zstdCompressSync(body);
  const untilMs = systemClock.nowMs() + patienceMs;
  for (;;) {
    try {
      const asked = {
        ...{ body: packed as unknown as string, bodySerializer: (bytes: unknown) => bytes as Uint8Array },
        headers: { "content-type": "application/x-ndjson", "content-encoding": "zstd" },
      };
      const { data } = await answerOf(gateway.POST("/api/v1/telemetry", asked));
      const { records, rejected, rejected_count: rejectedCount, unread, custom_metrics } = data;
      const misspelled = custom_metrics.flatMap(({ name, did_you_mean: meant }) =>
        meant === undefined ? [] : [{ name, meant }],
      );
      return { records, rejected, rejectedCount, unread, misspelled };
    } catch (error) {
      if (!mayGoOn(error) || systemClock.nowMs() > untilMs) throw error;
      await Bun.sleep(pauseMs);
    }
  }
}

/** True if the gateway may take the same request later; without a collector, it takes none until it is started again. */
export function mayGoOn(error: unknown): boolean {
  if (error instanceof GatewayUnreachable) return true;
  return error instanceof GatewayError && [429, 503].includes(error.status) && error.code !== "no_collector";
}
