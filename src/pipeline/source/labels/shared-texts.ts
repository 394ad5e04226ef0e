import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";

/** The number of texts that are kept; the least recently used ones are dropped. 20 bytes are reserved for each. */
const maxTexts = 50_000;
/** Longer texts are hardly ever repeated, and many of them would take much memory. */
const maxLength = 256;
/** The number of objects that are kept. */
const maxObjects = 2000;

/** Keeps one string for each text: GPUs share hosts, models and versions, and exporters share the names of metrics and labels. A string
 *  cut from a row would keep the whole row in memory; the shared copy does not. */
export class SharedTexts {
  private readonly texts = new LRUCache<string, string>({ max: maxTexts });
  private readonly objects = new LRUCache<string, object>({ max: maxObjects });

  /** @returns the same string for the same text, unless it is very long */
  shared(text: string): string {
    if (text.length > maxLength) return Buffer.from(text).toString();
    const cached = this.texts.get(text);
    if (cached !== undefined) return cached;
    const copy = Buffer.from(text).toString();
    this.texts.set(copy, copy);
    return copy;
  }

  /** @param key says what the object is, and everything that it has
   *  @returns the same object for the same key: what comments say is the same in all targets */
  sharedObject<Shared extends object>(key: readonly unknown[], make: () => Shared): Shared {
    const digest = createHash("sha1").update(JSON.stringify(key)).digest("base64");
    const cached = this.objects.get(digest);
    if (cached !== undefined) return cached as Shared;
    const made = make();
    this.objects.set(digest, made);
    return made;
  }
}
