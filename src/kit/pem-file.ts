import { readFileSync } from "node:fs";
import { stopwatch } from "./clock.ts";
import { defined } from "./defined.ts";
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

/** Texts in PEM: the authorities that a client trusts, and its own certificate with the key. */
export interface ClientPem {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The setting that names a file, for errors, and the file's path. */
type NamedPath = readonly [setting: string, path: string | undefined];

/** The files of a client. @returns what reads those that are set, again when they may have been renewed; never throws
 *  @throws Error if a file cannot be read, or is no PEM */
export function clientPemFiles(files: Readonly<Record<keyof ClientPem, NamedPath>>): () => ClientPem {
  const fileOf = ([setting, path]: NamedPath) => (path === undefined ? undefined : new PemFile(setting, path));
  const [ca, cert, key] = [fileOf(files.ca), fileOf(files.cert), fileOf(files.key)];
  return () => defined({ ca: ca?.read(), cert: cert?.read(), key: key?.read() });
}
