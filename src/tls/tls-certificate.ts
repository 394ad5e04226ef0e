import type { Logger } from "pino";
import { TlsUnusable } from "../domain/errors.ts";
import { BaseService } from "../kit/base-service.ts";
import type { Clock } from "../kit/clock.ts";
import {
  type CertificateFiles,
  type CertificateTexts,
  checkTexts,
  readTexts,
  type ServerCertificate,
} from "./certificate-files.ts";

export interface TlsCertificateOptions {
  readonly files: CertificateFiles;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pause between two readings of the files. */
const readEveryMs = 2000;
const dayMs = 86_400_000;
/** The end of a certificate is an error from this time before it, or from the last fifth of its time if that is shorter. */
const warnBeforeMs = 14 * dayMs;

/** The certificate that a process serves, read again when its files change. A new one that is not usable, or not valid now, leaves the
 *  old one in use, and the service's error says why. An expired certificate does not end the process, which may have other work:
 *  its clients refuse it, and the error says so. */
export class TlsCertificate extends BaseService {
  private readonly listeners = new Set<(certificate: ServerCertificate) => void>();
  private inUse: ServerCertificate | undefined;
  /** The texts of the last reading, usable or not. */
  private tried: CertificateTexts | undefined;
  private readonly unusable = this.repeatedError({
    prefix: "a new certificate is not used",
    ended: "the certificate's files are usable again",
  });
  private readonly expiry = this.repeatedError({ prefix: "certificate", ended: "the certificate is valid" });

  constructor(private readonly options: TlsCertificateOptions) {
    super("tls", options.log);
  }

  /** @throws Error before the service has started */
  get current(): ServerCertificate {
    if (this.inUse === undefined) throw new Error("the certificate has not been read yet");
    return this.inUse;
  }

  /** The days until the certificate expires; negative after that. Undefined before the service has started. */
  remainingDays(): number | undefined {
    return this.inUse && (this.inUse.validToMs - this.options.clock.nowMs()) / dayMs;
  }

  /** Calls `listener` with each certificate that replaces the current one. */
  onChange(listener: (certificate: ServerCertificate) => void): void {
    this.listeners.add(listener);
  }

  override activity(): string | undefined {
    const days = this.remainingDays();
    return days === undefined ? undefined : `${this.current.name}: ${expiryText(days)}`;
  }

  /** Reads the files now. Never throws: an error is the service's error. */
  async refresh(): Promise<void> {
    try {
      await this.replace();
    } catch (error) {
      this.unusable.record(error);
    }
    this.noteEnd();
  }

  /** @throws TlsUnusable */
  protected override async open(): Promise<void> {
    const { files } = this.options;
    this.tried = await readTexts(files);
    this.inUse = checkTexts(files, this.tried);
    this.noteEnd();
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      await this.options.clock.sleep(readEveryMs, this.stopping);
      if (!this.stopping.aborted) await this.refresh();
    }
  }

  /** @throws TlsUnusable if the files have changed, and are not usable */
  private async replace(): Promise<void> {
    const { files, log } = this.options;
    const { tried } = this;
    // after a reading that failed, the same texts are checked again
    this.tried = undefined;
    const texts = await readTexts(files);
    this.tried = texts;
    if (tried !== undefined && isSame(texts, tried)) return;
    if (this.inUse !== undefined && isSame(texts, this.inUse)) return this.unusable.clear();
    const certificate = checkTexts(files, texts);
    this.checkTime(certificate);
    this.inUse = certificate;
    this.unusable.clear();
    log.info(`the certificate of the files is in use: ${this.activity()}`);
    for (const listener of this.listeners) listener(certificate);
  }

  /** @throws TlsUnusable if a new certificate is not valid now */
  private checkTime({ name, validFromMs, validToMs }: ServerCertificate): void {
    const nowMs = this.options.clock.nowMs();
    if (validToMs > nowMs && validFromMs <= nowMs) return;
    const problem = validToMs > nowMs ? "is not valid before" : "expired at";
    const at = new Date(validToMs > nowMs ? validFromMs : validToMs).toISOString();
    throw new TlsUnusable(`TLS_CERT_FILE=${this.options.files.certFile}: ${name} ${problem} ${at}`);
  }

  private noteEnd(): void {
    const { inUse } = this;
    if (inUse === undefined) return;
    const nowMs = this.options.clock.nowMs();
    const warnMs = Math.min(warnBeforeMs, (inUse.validToMs - inUse.validFromMs) / 5);
    if (nowMs < inUse.validFromMs) {
      this.expiry.record(`${inUse.name} is not valid before ${new Date(inUse.validFromMs).toISOString()}`);
    } else if (inUse.validToMs - nowMs > warnMs) this.expiry.clear();
    else {
      const text = expiryText((inUse.validToMs - nowMs) / dayMs);
      this.expiry.record(`${inUse.name}: ${text}; put a new one into TLS_CERT_FILE and TLS_KEY_FILE`);
    }
  }
}

function isSame(a: CertificateTexts, b: CertificateTexts): boolean {
  return a.cert === b.cert && a.key === b.key && a.clientCa === b.clientCa;
}

/** In days, so that a log has a line a day at most. */
function expiryText(days: number): string {
  if (days <= 0) return "it has expired, and clients refuse it";
  const whole = Math.floor(days);
  if (whole < 1) return "it expires in less than a day";
  return `it expires in ${whole} ${whole === 1 ? "day" : "days"}`;
}
