import { Registry } from "prom-client";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../routes/gateway.ts";
import { headersFor, messageFor, packed, type SentProtocol, type SentSeries } from "./make-request.ts";

/** The answer to a request of remote write. */
interface WriteAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The counts of samples, histograms and exemplars in the headers. */
  readonly written: readonly (string | null)[];
}

/** A gateway over an empty store, which takes remote write; what is in its queue is stored as a collector does it. */
export class WriteGateway {
  private constructor(
    readonly gateway: TestGateway,
    readonly registry: Registry,
    private readonly opened: Awaited<ReturnType<typeof openFleetStore>>,
  ) {}

  static async open(): Promise<WriteGateway> {
    const [registry, opened] = [new Registry(), await openFleetStore([])];
    return new WriteGateway(gatewayOver(opened, { registry }), registry, opened);
  }

  sendSeries(protocol: SentProtocol, series: readonly SentSeries[]): Promise<WriteAnswer> {
    return this.send(packed(messageFor(protocol, series)), headersFor(protocol));
  }

  async send(body: Uint8Array | undefined, headers: Readonly<Record<string, string>>): Promise<WriteAnswer> {
    const sending = this.gateway.get("/api/v1/write", {
      method: "POST",
      headers,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    });
    // without etcd, the answer waits until the message is stored
    let isAnswered = false;
    void sending.finally(() => (isAnswered = true));
    while (!isAnswered) {
      await this.collect();
      await Bun.sleep(1);
    }
    const response = await sending;
    const written = ["samples", "histograms", "exemplars"].map((what) =>
      response.headers.get(`x-prometheus-remote-write-${what}-written`),
    );
    return { status: response.status, text: await response.text(), headers: response.headers, written };
  }

  close(): Promise<void> {
    return this.opened.close();
  }

  private async collect(): Promise<void> {
    const { queue } = this.gateway;
    while ((await queue.stats()).readyMessages > 0) {
      const { signal } = new AbortController();
      const deliveries = await queue.claim({ consumerId: "test", maxMessages: 10, signal });
      for (const { envelope, ...encoded } of deliveries) {
        const batch = decodeBatch({ ...envelope, ...encoded });
        await this.opened.store.ingest({ ...envelope, messageId: envelope.id, batch });
      }
      await queue.acknowledge(deliveries);
    }
  }
}
