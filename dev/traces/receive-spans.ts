import protobuf from "protobufjs";

/** A span that was received. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentId: string;
  readonly name: string;
  /** As in OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Why its work has failed; undefined if it has not. */
  readonly error: string | undefined;
  /** What the process says about itself. */
  readonly resource: Readonly<Record<string, unknown>>;
}

/** A receiver of traces by OTLP/HTTP. */
export interface SpanReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  /** In the order of arrival. */
  readonly spans: readonly ReceivedSpan[];
  /** The headers of the last request. */
  readonly headers: Headers | undefined;
  /** The number of requests. */
  readonly requests: number;
  stop(): Promise<void>;
}

interface Attribute {
  readonly key: string;
  readonly value?: Readonly<Record<string, unknown>>;
}
interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Attribute[];
  readonly status?: { readonly code?: number; readonly message?: string };
}
interface SentRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly Attribute[] };
    readonly scopeSpans?: readonly { readonly spans?: readonly SentSpan[] }[];
  }[];
}

/** Receives spans on a free port.
 *  @param answer what each request is answered with, before its spans are read. Absent: 200 */
export async function receiveSpans(answer: () => Response | Promise<Response> = taken): Promise<SpanReceiver> {
  const { root } = protobuf.parse(await Bun.file(`${import.meta.dir}/otlp-traces.proto`).text());
  const RequestType = root.lookupType("otlp.ExportTraceServiceRequest");
  const spans: ReceivedSpan[] = [];
  const seen: { headers: Headers | undefined; requests: number } = { headers: undefined, requests: 0 };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (new URL(request.url).pathname !== "/v1/traces") return new Response(null, { status: 404 });
      seen.headers = request.headers;
      seen.requests += 1;
      const bytes = await request.bytes();
      const response = await answer();
      if (response.ok)
        spans.push(...spansIn(RequestType.toObject(RequestType.decode(bytes), { longs: String, bytes: String })));
      return response;
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    spans,
    get headers() {
      return seen.headers;
    },
    get requests() {
      return seen.requests;
    },
    stop: () => server.stop(true),
  };
}

function taken(): Response {
  return new Response(new Uint8Array(), { headers: { "content-type": "application/x-protobuf" } });
}

function spansIn({ resourceSpans = [] }: SentRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => spanOf(span, valuesOf(resource?.attributes)))),
  );
}

function spanOf(span: SentSpan, resource: ReceivedSpan["resource"]): ReceivedSpan {
  const { name, kind, startTimeUnixNano, endTimeUnixNano, parentSpanId = "", status } = span;
  return {
    ...{ traceId: hexOf(span.traceId), spanId: hexOf(span.spanId), parentId: hexOf(parentSpanId) },
    ...{ name, kind, startMs: msOf(startTimeUnixNano), endMs: msOf(endTimeUnixNano) },
    attributes: valuesOf(span.attributes),
    // 2 is an error
    error: status?.code === 2 ? (status.message ?? "") : undefined,
    resource,
  };
}

function valuesOf(attributes: readonly Attribute[] = []): Record<string, unknown> {
  const entries = attributes.map(({ key, value = {} }) => {
    const { stringValue, boolValue, doubleValue, intValue } = value;
    return [key, intValue === undefined ? (stringValue ?? boolValue ?? doubleValue) : Number(intValue)];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function hexOf(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

function msOf(nanos: string): number {
  return Number(BigInt(nanos) / 1000n) / 1000;
}
