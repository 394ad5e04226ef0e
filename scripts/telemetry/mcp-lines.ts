import { Transform, type TransformCallback } from "node:stream";
import { readMessage, rpcError, type RpcError } from "../../src/mcp/json-rpc.ts";

export interface MessageLinesOptions {
  /** The longest line, in bytes. */
  readonly maxBytes: number;
  /** Throws for a value that is no message. */
  readonly check: (value: unknown) => unknown;
  /** Called with the answer to a line that is no message. */
  readonly onError: (error: RpcError) => void;
}

const lineFeed = 10;

/** Passes on the lines of its input that are messages. It answers any other line with an error, as JSON-RPC demands, and reads on; the
 *  protocol's SDK skips such lines, and ends at a long one. Empty lines need no answer. */
export class MessageLines extends Transform {
  private parts: Buffer[] = [];
  private bytes = 0;

  constructor(private readonly options: MessageLinesOptions) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (let from = 0; from < chunk.length;) {
      const end = chunk.indexOf(lineFeed, from);
      this.keep(chunk.subarray(from, end === -1 ? chunk.length : end));
      if (end === -1) break;
      this.endLine();
      from = end + 1;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    this.endLine();
    done();
  }

  /** Of a line that is too long, only the length is kept. */
  private keep(part: Buffer): void {
    this.bytes += part.length;
    if (this.bytes > this.options.maxBytes) this.parts = [];
    else this.parts.push(part);
  }

  private endLine(): void {
    const { bytes } = this;
    const text = Buffer.concat(this.parts).toString("utf8").trim();
    [this.parts, this.bytes] = [[], 0];
    const { maxBytes, check, onError } = this.options;
    if (bytes > maxBytes) return onError(rpcError("invalidRequest", `The line is longer than ${maxBytes} bytes`));
    if (text === "") return;
    const read = readMessage(text, check);
    if ("error" in read) onError(read.error);
    else this.push(`${text}\n`);
  }
}
