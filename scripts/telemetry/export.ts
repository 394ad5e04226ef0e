import { open, rename, rm, stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import { answerOf, createGatewayClient, GatewayUnreachable } from "gpu-telemetry-client";
import { asyncBufferFromFile, parquetMetadataAsync } from "hyparquet";
import { defined } from "../../src/kit/defined.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { print } from "../../src/terminal/print.ts";
import { checkWritable, UnwritableFile, written } from "../../src/terminal/writable-file.ts";
import { checkGpus, type Filters, queryOf } from "./fleet.ts";
import { rangeOf, type TimeOptions } from "./history.ts";
import type { Output } from "./output.ts";

interface ExportOptions extends Omit<Filters, "limit">, TimeOptions {
  readonly parquet: string;
  readonly metrics?: string;
  readonly resolution?: "raw";
}

/** Adds the command `export`.
 *  @param time the form of a time, for the help */
export function addExport(program: Command, output: () => Output, time: string): void {
  program
    .command("export")
    .description("write the records of a range of time to a file; without times, all of them")
    .requiredOption("--parquet <file>", "the Parquet file to write; an existing one is replaced once all is there")
    .option("--gpu <uuid>", "only this GPU or MIG instance")
    .option("--parent <uuid>", "only the MIG instances of this GPU")
    .option("--cluster <id>", "only of this cluster")
    .option("--host <hostname>", "only of this host")
    .option("--model <name>", "only GPUs of this model")
    .option("--namespace <name>", "only what this namespace held")
    .option("--start <time>", `only records at or after this time; ${time}`)
    .option("--end <time>", "only records at or before this time")
    .option("--metrics <names>", "only these metrics, separated by commas; /api/v1/metrics lists them")
    .addOption(
      new Option("--resolution <span>", "every record, or averages over minutes, hours or days").choices([
        ...["raw", "1m", "1h", "1d", "auto"],
      ]),
    )
    .action((options: ExportOptions) => exportRecords(output(), options));
}

/** Writes the records to a file as they arrive. @throws GatewayError, GatewayUnreachable, UnwritableFile */
async function exportRecords(output: Output, options: ExportOptions): Promise<void> {
  await checkGpus(output, options);
  const { parquet: file, metrics, resolution } = options;
  const part = `${file}.part`;
  await checkWritable("--parquet", file);
  try {
    await download(output, { ...queryOf(options), ...rangeOf(options), ...defined({ metrics, resolution }) }, part);
    const { num_rows: count } = await parquetMetadataAsync(await asyncBufferFromFile(part));
    await written("--parquet", file, () => rename(part, file));
    const { size } = await stat(file);
    const shown = { count: Number(count), mebibytes: (size / 1024 / 1024).toFixed(1) };
    if (output.asJson) return print(JSON.stringify({ file, count: shown.count, bytes: size }));
    print(`${shown.count.toLocaleString("en-US")} records, ${shown.mebibytes} MiB in ${file}`);
  } finally {
    await rm(part, { force: true });
  }
}

async function download({ url, headers, tls }: Output, query: object, file: string): Promise<void> {
  const init = tls === undefined ? {} : { tls };
  const send = (request: Request): Promise<Response> => fetch(request, init);
  const gateway = createGatewayClient({ baseUrl: url, headers, timeoutMs: Infinity, fetch: send });
  const accept = "application/vnd.apache.parquet";
  const asked = { params: { query }, headers: { accept }, parseAs: "stream" } as const;
  const body = (await answerOf(gateway.GET("/api/v1/telemetry", asked))) as ReadableStream<Uint8Array> | null;
  const opened = await written("--parquet", file, () => open(file, "w"));
  try {
    for await (const bytes of (body ?? []) as AsyncIterable<Uint8Array>) {
      await written("--parquet", file, () => opened.writeFile(bytes));
    }
  } catch (cause) {
    if (cause instanceof UnwritableFile) throw cause;
    throw new GatewayUnreachable(`The answer broke off: ${messageOf(cause)}`, { cause });
  } finally {
    await opened.close();
  }
}
