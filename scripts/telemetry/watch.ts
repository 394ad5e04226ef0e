import { answerOf, liveTelemetry, type TelemetryUpdateMessage } from "gpu-telemetry-client";
import { type Output, print } from "./output.ts";

interface WatchOptions {
  readonly gpu?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly namespace?: string;
  readonly count?: number;
}

/** Prints records as they come, a line each, until the count is reached or the process is told to stop. */
export async function watch(output: Output, options: WatchOptions): Promise<void> {
  const { gpu, cluster, host, namespace, count = Infinity } = options;
  // says at once that nothing answers, instead of trying for ever
  await answerOf(output.gateway.GET("/health/live"));
  const filters = {
    ...(gpu === undefined ? {} : { gpu_uuid: gpu }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(host === undefined ? {} : { hostname: host }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  let shown = 0;
  await new Promise<void>((resolve) => {
    const live = liveTelemetry({
      baseUrl: output.url,
      filters,
      onUpdate: (update) => {
        if (shown >= count) return;
        print(output.asJson ? JSON.stringify(update) : lineOf(update));
        shown += 1;
        if (shown < count) return;
        live.close();
        resolve();
      },
      onMessage: (message) => {
        if (message.type === "error") process.stderr.write(`${message.message}\n`);
      },
      onBreak: (reason, retryInMs) => process.stderr.write(`${reason}; again in ${Math.round(retryInMs)} ms\n`),
    });
  });
}

function lineOf({ timestamp, gpu_uuid, data }: TelemetryUpdateMessage): string {
  const values = Object.entries(data).map(
    ([name, value]) => `${name}=${typeof value === "number" ? value : JSON.stringify(value)}`,
  );
  return `${timestamp} ${gpu_uuid} ${values.join(" ")}`;
}
