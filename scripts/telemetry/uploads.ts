import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import { answerOf, type components, createGatewayClient } from "gpu-telemetry-client";
import { defined } from "../../src/kit/defined.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { hostAsParameter } from "../../src/pipeline/source/host-advice.ts";
import { print, printError } from "../../src/terminal/print.ts";
import { mayGoOn } from "./import/pushes.ts";
import { cellOf, type Output } from "./output.ts";
import { printNarrow } from "./narrow-table.ts";
import { UsageError } from "./usage-error.ts";

type Upload = components["schemas"]["Upload"];

interface UploadOptions {
  readonly host?: string;
  readonly cluster?: string;
  readonly wait: boolean;
}

/** Adds the commands `upload` and `uploads`. */
export function addUploads(program: Command, output: () => Output, parseCount: (text: string) => number): void {
  program
    .command("upload")
    .description("send a CSV file, plain or packed with gzip or zstd, and show how it is read; once more does no harm")
    .argument("<file>", "the file")
    .option("--host <hostname>", "host of the rows that name none")
    .option("--cluster <id>", "cluster of the rows that name none")
    .option("--no-wait", "end when all bytes have arrived, before they are read")
    .action((file: string, options: UploadOptions) => upload(output(), file, options));
  const uploads = program
    .command("uploads")
    .description("uploaded CSV files, newest first, and what has become of their rows")
    .option("--limit <count>", "maximum number of rows", parseCount)
    .action((options) => listUploads(output(), options as object));
  uploads
    .command("delete <id>")
    .description("cancel an upload, or remove one that has ended from the list; stored records stay")
    .action((id: string) => deleteUpload(output(), id));
}

const pollMs = 500;
/** For so long, an upload is sent again to a gateway that has no room, and a gateway that does not answer is asked again. */
const patienceMs = 5 * 60_000;
const pauseMs = 2000;

/** Sends a file, and waits until it is read. @throws UsageError, GatewayError, GatewayUnreachable */
async function upload(output: Output, path: string, options: UploadOptions): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) throw new UsageError(`${path} is not a file that can be read`);
  const sending = new Bar(output, "sent");
  const { data } = await send(output, { path, options, onSent: (bytes) => sending.show(bytes, found.size) }).finally(
    () => sending.stop(),
  );
  if (data.duplicate)
    printError(`The same content was uploaded before, as ${cellOf(data.file_name)} at ${data.created_at}`);
  const ended = options.wait ? await untilRead(output, data) : data;
  if (ended.state === "failed" || ended.state === "cancelled") process.exitCode = 1;
  if (output.asJson) return print(JSON.stringify(ended, null, 2));
  printUploads([ended]);
  if (ended.rejected_count > 0)
    print(`bun run telemetry rejections --source ${ended.source_id} lists what was rejected`);
}

interface Sending {
  readonly path: string;
  readonly options: UploadOptions;
  readonly onSent: (bytes: number) => void;
}

/** Sends a file until it is taken: bytes that arrived before the gateway went away do not count. */
async function send({ url, headers, tls }: Output, { path, options, onSent }: Sending) {
  const init = tls === undefined ? {} : { tls };
  const gateway = createGatewayClient({
    ...{ baseUrl: url, headers, timeoutMs: Infinity },
    fetch: (request) => fetch(request, init),
  });
  const query = { file_name: basename(path), ...defined({ hostname: options.host, cluster_id: options.cluster }) };
  const untilMs = systemClock.nowMs() + patienceMs;
  for (;;) {
    try {
      const body = counted(Bun.file(path).stream(), onSent);
      return await answerOf(
        gateway.POST("/api/v1/csv/upload", {
          ...{ params: { query }, headers: { "content-type": "application/octet-stream" } },
          ...{ body: body as unknown as string, bodySerializer: (bytes: unknown) => bytes as ReadableStream },
        }),
      );
    } catch (error) {
      if (!mayGoOn(error) || systemClock.nowMs() > untilMs) throw error;
      await Bun.sleep(pauseMs);
    }
  }
}

function counted(bytes: ReadableStream<Uint8Array>, onSent: (bytes: number) => void): ReadableStream<Uint8Array> {
  let sent = 0;
  return bytes.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        onSent((sent += chunk.length));
        controller.enqueue(chunk);
      },
    }),
  );
}

async function untilRead(output: Output, received: Upload): Promise<Upload> {
  const bar = new Bar(output, "stored");
  let untilMs = systemClock.nowMs() + patienceMs;
  let upload = received;
  try {
    while (upload.finished_at === undefined) {
      await Bun.sleep(pollMs);
      try {
        const { id } = upload;
        upload = (await answerOf(output.gateway.GET("/api/v1/csv/uploads/{id}", { params: { path: { id } } }))).data;
        untilMs = systemClock.nowMs() + patienceMs;
      } catch (error) {
        if (!mayGoOn(error) || systemClock.nowMs() > untilMs) throw error;
      }
      bar.show(upload.percent_read, 100);
    }
  } finally {
    bar.stop();
  }
  return upload;
}

/** A progress bar, which only a terminal shows. */
class Bar {
  private readonly bar: SingleBar | undefined;

  constructor({ asJson }: Output, what: string) {
    if (asJson || !process.stderr.isTTY) return;
    const format = `  {bar} {percentage}% ${what}`;
    const characters = { barCompleteChar: "=", barIncompleteChar: "." };
    this.bar = new SingleBar({ format, ...characters, hideCursor: true, clearOnComplete: true });
  }

  show(done: number, total: number): void {
    if (this.bar === undefined) return;
    if (!this.bar.isActive) this.bar.start(total, 0);
    this.bar.update(Math.min(done, total));
  }

  stop(): void {
    if (this.bar?.isActive === true) this.bar.stop();
  }
}

async function listUploads(output: Output, { limit }: { readonly limit?: number }): Promise<void> {
  const query = defined({ limit });
  const { data } = await answerOf(output.gateway.GET("/api/v1/csv/uploads", { params: { query } }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  printUploads(data);
}

async function deleteUpload(output: Output, id: string): Promise<void> {
  const { data } = await answerOf(output.gateway.DELETE("/api/v1/csv/uploads/{id}", { params: { path: { id } } }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  printUploads([data]);
}

function printUploads(uploads: readonly Upload[]): void {
  const rows = uploads.map(
    ({ file_name, percent_read, rows_read, records_stored, rejected_count, message, ...rest }) => ({
      ...rest,
      ...{
        message: message.replace(hostAsParameter, "name the host of all GPUs with --host"),
        file: file_name,
        read: `${percent_read} %`,
        rows: rows_read,
        records: records_stored,
        rejected: rejected_count,
      },
    }),
  );
  const columns = ["state", "read", "rows", "records", "rejected"].map((name) => ({ name }));
  printNarrow(rows, [{ name: "id" }, { name: "file", wraps: true }, ...columns, { name: "message", wraps: true }]);
}
