import { LRUCache } from "lru-cache";

/** The number of texts that are kept; the least recently used ones are dropped. 20 bytes are reserved for each. */
const maxTexts = 50_000;
/** Longer texts are hardly ever repeated, and many of them would take much memory. */
const maxLength = 256;

/** Keeps one string for each text: GPUs share hosts, models and versions, and exporters share the names of metrics and labels. A string
 *  cut from a row would keep the whole row in memory; the shared copy does not. */
export class SharedTexts {
  private readonly texts = new LRUCache<string, string>({ max: maxTexts });

  /** @returns the same string for the same text, unless it is very long */
  shared(text: string): string {
    if (text.length > maxLength) return Buffer.from(text).toString();
    const cached = this.texts.get(text);
    if (cached !== undefined) return cached;
    const copy = Buffer.from(text).toString();
    this.texts.set(copy, copy);
    return copy;
  }
}
