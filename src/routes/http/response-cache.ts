import { LRUCache } from "lru-cache";
import { compressed, compressMinBytes } from "./formats/compress.ts";
import { type Encoding, encodingOf } from "./formats/negotiate.ts";

/** The body of an answer, cached in memory. */
export class CachedBody {
  private readonly compressedBodies = new Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>();
  private hash: string | undefined;

  /** @param text a string, because an ASCII string is sent without a copy, and a buffer would be copied for each
   *  answer */
  constructor(
    readonly text: string,
    private readonly contentType: string,
  ) {}

  /** The ETag is weak, because compressed and uncompressed bodies share it. */
  get etag(): string {
    this.hash ??= `W/"${Bun.hash(this.text).toString(16)}"`;
    return this.hash;
  }

  /** The answer with this body, compressed if the body is not short and the client accepts compression. Each compressed form
   *  is made once, when it is first needed. */
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
  /** The limit for all keys and bodies together. A body counts twice: the second time for its compressed forms, which
   *  together are usually shorter than its text. */
  readonly maxCharacters: number;
  /** Returns the version of the data that the bodies are made from; NaN if nothing may be cached. */
  readonly version: () => number;
}

/** Caches bodies of answers until their data changes. The least recently used bodies are dropped first. */
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

  /** The current version of the data. Reading it drops all bodies of other versions. */
  get version(): number {
    const version = this.options.version();
    if (version !== this.bodiesVersion) this.bodies.clear();
    this.bodiesVersion = version;
    return version;
  }

  get(key: string): CachedBody | undefined {
    return Number.isNaN(this.version) ? undefined : this.bodies.get(key);
  }

  /** @param version the version of the data from which the body was made; if it is not current, the body is not cached */
  set(key: string, body: CachedBody, version: number): void {
    if (version === this.version) this.bodies.set(key, body);
  }
}
