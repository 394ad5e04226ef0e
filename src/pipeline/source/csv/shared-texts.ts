const maxTexts = 50_000;

/** Keeps one string of each text: GPUs share hosts, models and versions. A string cut from a row would hold on to
 *  the whole row; the shared one does not. */
export class SharedTexts {
  private readonly texts = new Map<string, string>();

  shared(text: string): string {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    if (this.texts.size >= maxTexts) this.texts.clear();
    const copy = Buffer.from(text).toString();
    this.texts.set(copy, copy);
    return copy;
  }
}
