import { createHash, createHmac } from "node:crypto";
import { TelemetryError } from "../../domain/errors.ts";
import { messageOf } from "../../kit/message-of.ts";
import { type NoticeGroup, webhookBody } from "./webhook-body.ts";

/** The receiver may have accepted the request or not. */
class WebhookFailed extends TelemetryError {
  readonly code = "webhook_failed";
  readonly retryable = true;
}

const timeoutMs = 10_000;

interface WebhookOptions {
  /** Signs the requests; undefined: they are not signed. */
  readonly secret?: string;
  /** FAULT_RUNBOOK_URL. */
  readonly runbookUrl?: string;
}

/** Sends notices to one receiver. */
export class Webhook {
  /** Names the receiver in the store, without its URL, which may have a password. */
  readonly id: string;
  /** For messages. */
  readonly host: string;

  constructor(
    private readonly url: string,
    private readonly options: WebhookOptions,
  ) {
    this.id = createHash("sha256").update(url).digest("hex").slice(0, 16);
    this.host = new URL(url).host;
  }

  /** Sends a request.
   *  @returns undefined if the receiver accepts it; otherwise the status with which it refuses it for good, 400 to 499, except 408
   *           and 429
   *  @throws WebhookFailed if it is to be sent again */
  async send({ notices, delivery }: NoticeGroup, signal: AbortSignal): Promise<number | undefined> {
    const body = webhookBody(notices, this.options.runbookUrl);
    const response = await this.post(body, delivery, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    const { status } = response;
    // the connection can be used again
    await response.body?.cancel().catch(() => undefined);
    if (status >= 200 && status < 300) return undefined;
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) return status;
    const advice =
      status >= 300 && status < 400 ? "; redirects are not followed, FAULT_WEBHOOK_URL has to lead there" : "";
    throw new WebhookFailed(`the webhook at ${this.host} has answered with status ${status}${advice}`);
  }

  private async post(body: string, delivery: string, signal: AbortSignal): Promise<Response> {
    const headers = new Headers({
      "Content-Type": "application/json",
      "User-Agent": "telemetry",
      "X-Telemetry-Delivery": delivery,
    });
    const { secret } = this.options;
    if (secret !== undefined) {
      headers.set("X-Telemetry-Signature", `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
    }
    try {
      return await fetch(this.url, { method: "POST", headers, body, signal, redirect: "manual" });
    } catch (error) {
      throw new WebhookFailed(`the webhook at ${this.host} does not answer: ${messageOf(error)}`, { cause: error });
    }
  }
}
