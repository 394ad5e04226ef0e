/** How long the provider may take for an answer. */
const timeoutMs = 5000;
/** The longest answer that is read: sets of keys and tokens are far shorter. */
const answerMaxBytes = 1024 * 1024;

/** A request to the provider. */
export interface ProviderRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | URLSearchParams | undefined;
}

/** Sends requests to the provider, with limits, and without following redirects. The answer has been read when it is returned.
 *  @param ca returns the certificates that are trusted instead of the machine's, for each request; undefined: the machine's are trusted */
export function providerFetch(ca: (() => string) | undefined) {
  return async (url: string, { method, headers, body }: ProviderRequest): Promise<Response> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = { method, headers, signal, redirect: "manual", ...(body !== undefined && { body }) } as const;
    const answer = await fetch(url, { ...sent, ...(ca !== undefined && { tls: { ca: ca() } }) });
    return new Response(await bodyOf(answer), { status: answer.status, headers: answer.headers });
  };
}

async function bodyOf({ body, url }: Response): Promise<Uint8Array<ArrayBuffer> | null> {
  if (body === null) return null;
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as ReadableStream<Uint8Array>) {
    size += part.byteLength;
    if (size > answerMaxBytes) throw new Error(`the answer of ${url} has more than ${answerMaxBytes} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
