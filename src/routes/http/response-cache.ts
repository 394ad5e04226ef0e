import { LRUCache } from "lru-cache";
import { compressed, compressMinBytes } from "./formats/compress.ts";
import { type Encoding, encodingOf } from "./formats/negotiate.ts";

/** The body of an answer, kept in memory. */
export class CachedBody {
  private readonly compressedBodies = new Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>();
  private hash: string | undefined;

  /** @param text is sent as it is in memory if it is ASCII; a buffer would be copied at each answer */
  constructor(
    readonly text: string,
    private readonly contentType: string,
  ) {}

  /** Weak: it is the same whether compressed or not. */
  get etag(): string {
    this.hash ??= `W/"${Bun.hash(this.text).toString(16)}"`;
    return this.hash;
  }

  /** The answer with this body, compressed if the client takes that. Each compressed form is made once, when it is first
   *  asked for. */
  answerTo(request: Request, headers: Readonly<Record<string, string>>): Response | Promise<Response> {
    const all = { ...headers, "content-type": this.contentType, vary: "accept, accept-encoding" };
    const encoding = this.text.length < compressMinBytes ? undefined : encodingOf(request);
    if (encoding === undefined) return new Response(this.text, { headers: all });
    return this.compressedAnswer(encoding, { ...all, "content-encoding": encoding });
  }

  private async compressedAnswer(encoding: Encoding, headers: Readonly<Record<string, string>>): Promise<Response> {
    let body = this.compressedBodies.get(encoding);
    if (body === undefined) this.compressedBodies.set(encoding, (body = compressed(this.text, encoding)));
    return new Response(await body, { headers });
  }
}

interface ResponseCacheOptions {
  readonly maxEntries: number;
  /** Of keys and bodies. A body counts twice: its compressed forms together are shorter than its text. */
  readonly maxCharacters: number;
  /** The version of the data that the bodies are made from; NaN if nothing may be cached. */
  readonly version: () => number;
}

/** Bodies of answers, valid until the data that they are made from changes; the least recently used are dropped first. */
export class ResponseCache {
  private readonly bodies: LRUCache<string, CachedBody>;
  private bodiesVersion = NaN;

  constructor(private readonly options: ResponseCacheOptions) {
    this.bodies = new LRUCache({
      max: options.maxEntries,
      maxSize: options.maxCharacters,
      sizeCalculation: ({ text }, key) => key.length + 2 * text.length,
    });
  }

  /** The current version of the data; bodies of an older one are dropped. */
  get version(): number {
    const version = this.options.version();
    if (version !== this.bodiesVersion) this.bodies.clear();
    this.bodiesVersion = version;
    return version;
  }

  get(key: string): CachedBody | undefined {
    return Number.isNaN(this.version) ? undefined : this.bodies.get(key);
  }

  /** @param version of the data when the body was made; if it has changed since, the body is not cached */
  set(key: string, body: CachedBody, version: number): void {
    if (version === this.version) this.bodies.set(key, body);
  }
}
