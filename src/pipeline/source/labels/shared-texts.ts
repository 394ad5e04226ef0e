import { LRUCache } from "lru-cache";

/** Keeps one string for each text: GPUs share hosts, models and versions. A string cut from a row would keep the whole row in
 *  memory; the shared copy does not. */
export class SharedTexts {
  private readonly texts: LRUCache<string, string>;

  /** @param maxTexts the number of texts that are kept; the least recently used ones are dropped. Memory for all of them is reserved */
  constructor(maxTexts: number) {
    this.texts = new LRUCache({ max: maxTexts });
  }

  shared(text: string): string {
    const cached = this.texts.get(text);
    if (cached !== undefined) return cached;
    const copy = Buffer.from(text).toString();
    this.texts.set(copy, copy);
    return copy;
  }
}
