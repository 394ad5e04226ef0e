import { readFileSync } from "node:fs";
import { stopwatch } from "./clock.ts";
import { messageOf } from "./message-of.ts";

/** The file is read at most this often, however many connections are opened. */
const pauseMs = 1000;

/** A PEM file of a client: an authority, a certificate or a key. It is read again when its text is needed, so that a renewed file needs
 *  no restart. While it cannot be read, or is no PEM, the text of the last reading counts. */
export class PemFile {
  private last: string;
  private sinceReadMs = stopwatch();

  /** @param setting the name of what names the file, for errors
   *  @throws Error if the file cannot be read, or is no PEM */
  constructor(
    private readonly setting: string,
    private readonly path: string,
  ) {
    this.last = this.text();
  }

  /** The text as it was in the file a second ago or later; never throws. */
  read(): string {
    if (this.sinceReadMs() < pauseMs) return this.last;
    this.sinceReadMs = stopwatch();
    try {
      this.last = this.text();
    } catch {
      // it is just being replaced, or the connections that need it will say why they fail
    }
    return this.last;
  }

  private text(): string {
    const { setting, path } = this;
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (cause) {
      throw new Error(`${setting}=${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
    if (!text.includes("-----BEGIN ")) throw new Error(`${setting}=${path} is not usable: expected PEM`);
    return text;
  }
}
