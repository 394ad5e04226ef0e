import { LRUCache } from "lru-cache";

/** The maximum number of texts that are kept; the least recently used ones are dropped. */
const maxTexts = 50_000;

/** Keeps one string for each text: GPUs share hosts, models and versions. A string cut from a row would keep the whole row in
 *  memory; the shared copy does not. */
export class SharedTexts {
  private readonly texts = new LRUCache<string, string>({ max: maxTexts });

  shared(text: string): string {
    const cached = this.texts.get(text);
    if (cached !== undefined) return cached;
    const copy = Buffer.from(text).toString();
    this.texts.set(copy, copy);
    return copy;
  }
}
