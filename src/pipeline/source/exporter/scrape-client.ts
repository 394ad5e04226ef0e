import http, { type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import type { SecureContextOptions } from "node:tls";
import { stopwatch, systemClock } from "../../../kit/clock.ts";
import type { ReceivedExposition } from "../exposition/scanned-exposition.ts";
import { type AnswerMemory } from "./answer-memory.ts";
import { expositionOf, tooLarge } from "./answer-body.ts";
import { explainNetworkError, explainStatus, explainTimeout, ScrapeFailed, seconds } from "./scrape-failed.ts";

/** How scrapes authenticate themselves and the exporters. */
export interface ScrapeSecurity {
  /** Returns PEM texts: certificates to trust instead of the machine's, and the client's own certificate with its key. Called for each
   *  scrape with TLS: the files may have been renewed, and a new connection uses what they contain. */
  readonly tls: () => Pick<SecureContextOptions, "ca" | "cert" | "key">;
  /** True to accept any certificate. */
  readonly insecure: boolean;
  /** The value of the header Authorization; undefined for none. */
  readonly authorization: () => Promise<string | undefined>;
}

export interface ScrapeClientOptions {
  /** Maximum time of a whole scrape: name, connection, handshake and answer. */
  readonly timeoutMs: number;
  /** Maximum size of an answer, as sent and decompressed. */
  readonly maxBytes: number;
  readonly memory: AnswerMemory;
  readonly security: ScrapeSecurity;
}

/** The text format first: it keeps the exporter's own names and the times in milliseconds. */
const accept = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";
/** Exporters that Prometheus scrapes keep a connection for minutes; a target needs one. */
const connections = { keepAlive: true, maxFreeSockets: 1 };

/** Reads answers of exporters over HTTP. Each target keeps its connection. It uses Node's HTTP client because `fetch` of Bun answers
 *  at most 256 requests at a time: that many hanging exporters would hold up all others. */
export class ScrapeClient {
  private readonly plain = new http.Agent(connections);
  private readonly secure: https.Agent;

  constructor(private readonly options: ScrapeClientOptions) {
    this.secure = new https.Agent({ ...connections, rejectUnauthorized: !options.security.insecure });
  }

  /** Requests a target once.
   *  @returns the text of the answer, decompressed, in UTF-8, and its format if the exporter names it
   *  @throws ScrapeFailed, even when the signal aborts */
  async scrape(url: string, signal: AbortSignal): Promise<ReceivedExposition> {
    const { timeoutMs } = this.options;
    const elapsedMs = stopwatch();
    const halt = new AbortController();
    const ended = new AbortController();
    const stop = (): void => halt.abort();
    signal.addEventListener("abort", stop, { once: true });
    // the machine's clock: the answer takes real time even if a test controls the schedule
    void systemClock.sleep(timeoutMs, ended.signal).then(stop);
    try {
      if (signal.aborted) stop();
      return await this.requestAgainIfStale(url, halt.signal);
    } catch (error) {
      if (signal.aborted) throw new ScrapeFailed("stopped", "the streamer is stopping");
      if (halt.signal.aborted) throw explainTimeout(elapsedMs(), timeoutMs);
      const failed = explainNetworkError(error);
      throw new ScrapeFailed(failed.reason, `${failed.message}, after ${seconds(elapsedMs())}`, { cause: error });
    } finally {
      signal.removeEventListener("abort", stop);
      ended.abort();
    }
  }

  /** Closes the connections that no request uses. */
  close(): void {
    this.plain.destroy();
    this.secure.destroy();
  }

  /** An exporter may close a kept connection just as the next request is sent on it. */
  private async requestAgainIfStale(url: string, signal: AbortSignal): Promise<ReceivedExposition> {
    const authorization = await this.options.security.authorization();
    const request = (): Promise<ReceivedExposition> => this.request(url, authorization, signal);
    return request().catch((error: unknown) => {
      if (error instanceof StaleConnection && !signal.aborted) return request();
      throw error;
    });
  }

  private request(url: string, authorization: string | undefined, signal: AbortSignal): Promise<ReceivedExposition> {
    const isSecure = url.startsWith("https:");
    const headers = {
      accept,
      "accept-encoding": "gzip",
      "user-agent": "gpu-telemetry-pipeline",
      "x-prometheus-scrape-timeout-seconds": String(this.options.timeoutMs / 1000),
      ...(authorization === undefined ? {} : { authorization }),
    };
    const agent = isSecure ? { agent: this.secure, ...this.options.security.tls() } : { agent: this.plain };
    const options: RequestOptions = { ...agent, headers, signal };
    return new Promise((resolve, reject) => {
      const request = (isSecure ? https : http).request(url, options, (answer) => {
        this.receive(answer, url).then(resolve, (error: Error) => {
          reject(error);
          // the rest is not wanted
          request.destroy();
        });
      });
      request.on("error", (error: NodeJS.ErrnoException) => {
        const isStale = request.reusedSocket && error.code === "ECONNRESET";
        reject(isStale ? new StaleConnection("the kept connection was closed", { cause: error }) : error);
      });
      request.end();
    });
  }

  private async receive(answer: IncomingMessage, url: string): Promise<ReceivedExposition> {
    const { maxBytes, memory } = this.options;
    const { statusCode = 0, headers } = answer;
    if (statusCode !== 200) throw explainStatus(statusCode, url, headers.location);
    if (Number(headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        if (!memory.take(chunk.length))
          throw new ScrapeFailed("memory_full", "too many large answers at the same time");
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > maxBytes) throw tooLarge(maxBytes);
      }
      if (!answer.complete) throw Object.assign(new Error("aborted"), { code: "ECONNRESET" });
      return expositionOf(
        {
          bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks),
          contentType: headers["content-type"] ?? "",
          contentEncoding: headers["content-encoding"]?.trim().toLowerCase() ?? "",
        },
        maxBytes,
      );
    } finally {
      memory.give(bytes);
    }
  }
}

/** A kept connection was closed by the exporter before the request reached it. */
class StaleConnection extends Error {}
