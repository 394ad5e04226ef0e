import { gzipSync } from "node:zlib";

/** What an exporter answers. */
export type Answering = (request: Request) => Response | Promise<Response>;

export interface ExporterServer {
  /** host:port. */
  readonly address: string;
  /** The requests so far. */
  readonly requests: readonly Request[];
  /** Answers the next requests differently. */
  answer(answering: Answering): void;
  close(): Promise<void>;
}

const textHeaders = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };

/** A usual answer, compressed if the client accepts that. */
export function exposition(text: string): Answering {
  return (request) =>
    request.headers.get("accept-encoding")?.includes("gzip") === true
      ? new Response(gzipSync(text), { headers: { ...textHeaders, "content-encoding": "gzip" } })
      : new Response(text, { headers: textHeaders });
}

/** Serves /metrics as an exporter does. */
export function startExporter(first: Answering, options: { readonly hostname?: string } = {}): ExporterServer {
  const requests: Request[] = [];
  let answering = first;
  const server = Bun.serve({
    port: 0,
    hostname: options.hostname ?? "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => {
      requests.push(request);
      return answering(request);
    },
  });
  const host = options.hostname?.includes(":") === true ? `[${options.hostname}]` : "127.0.0.1";
  return {
    address: `${host}:${server.port}`,
    requests,
    answer: (next) => void (answering = next),
    close: () => server.stop(true),
  };
}

/** The samples of a host's GPUs, as dcgm-exporter writes them.
 *  @param power the power of the first GPU; the others have 1 W more each */
export function dcgmText(hostname: string, power: number, gpus = 2): string {
  return Array.from({ length: gpus }, (_, gpu) => {
    const labels = `gpu="${gpu}",UUID="GPU-${hostname}-${gpu}",device="nvidia${gpu}",modelName="NVIDIA H100",Hostname="${hostname}"`;
    return [
      `DCGM_FI_DEV_GPU_UTIL{${labels}} 97`,
      `DCGM_FI_DEV_POWER_USAGE{${labels}} ${power + gpu}`,
      `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{${labels}} ${1000 * power + gpu}`,
    ].join("\n");
  })
    .join("\n")
    .concat("\n");
}
