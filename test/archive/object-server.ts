import { createHash, createHmac } from "node:crypto";

/** The credentials that the server accepts. */
export const objectAccess = { accessKeyId: "test-key", secretAccessKey: "test-secret", region: "us-east-1" };

/** A small server of S3's protocol, with what archives use of it: put, get with a range, head, list, and uploads in parts. It checks
 *  every signature, and keeps objects in memory. It stands for a real one, of which no package that is kept runs here. */
export interface ObjectServer extends Disposable {
  readonly endpoint: string;
  readonly objects: Map<string, Uint8Array>;
  /** Uploads that were neither completed nor aborted. */
  readonly uploads: Map<string, Map<number, Uint8Array>>;
  /** While true, uploads are refused. */
  isFull: boolean;
}

export function serveObjects(): ObjectServer {
  const objects = new Map<string, Uint8Array>();
  const uploads = new Map<string, Map<number, Uint8Array>>();
  const server = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch: async (request) => {
      const body = new Uint8Array(await request.arrayBuffer());
      if (!isSigned(request)) return refusal(403, "SignatureDoesNotMatch");
      return answer(request, body);
    },
  });
  const served: ObjectServer = {
    ...{ endpoint: `http://127.0.0.1:${server.port}`, objects, uploads, isFull: false },
    [Symbol.dispose]: () => void server.stop(true),
  };
  return served;

  function answer(request: Request, body: Uint8Array): Response {
    const { pathname, searchParams: query } = new URL(request.url);
    const [, key = ""] = /^\/[^/]+\/?(.*)$/.exec(decodeURIComponent(pathname)) ?? [];
    if (request.method === "GET" && key === "") return list(query);
    if (request.method === "GET" || request.method === "HEAD") return read(request, key);
    if (served.isFull) return refusal(507, "InsufficientStorage");
    if (request.method === "POST") return query.has("uploads") ? begin(key) : complete(key, query);
    if (request.method === "DELETE")
      return (void uploads.delete(query.get("uploadId") ?? ""), new Response(null, { status: 204 }));
    const upload = uploads.get(query.get("uploadId") ?? "");
    if (upload === undefined) objects.set(key, body);
    else upload.set(Number(query.get("partNumber")), body);
    return new Response(null, { headers: { etag: tagOf(body) } });
  }

  function read(request: Request, key: string): Response {
    const found = objects.get(key);
    if (found === undefined) return refusal(404, "NoSuchKey");
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "") ?? [];
    const headers = { etag: tagOf(found), "content-length": String(found.length) };
    if (request.method === "HEAD") return new Response(null, { headers });
    if (from === undefined) return new Response(found as Uint8Array<ArrayBuffer>, { headers: { etag: tagOf(found) } });
    const part = found.slice(Number(from), to ? Number(to) + 1 : undefined);
    return new Response(part, { status: 206, headers: { etag: tagOf(found) } });
  }

  /** Pages of two, so that every reader meets a second page. */
  function list(query: URLSearchParams): Response {
    const after = query.get("start-after") ?? "";
    const keys = [...objects.keys()].filter((key) => key.startsWith(query.get("prefix") ?? "") && key > after).sort();
    const entries = keys
      .slice(0, 2)
      .map((key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)?.length}</Size></Contents>`);
    return xml(`<ListBucketResult><IsTruncated>${keys.length > 2}</IsTruncated>${entries.join("")}</ListBucketResult>`);
  }

  function begin(key: string): Response {
    const id = crypto.randomUUID();
    uploads.set(id, new Map());
    return xml(
      `<InitiateMultipartUploadResult><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  }

  function complete(key: string, query: URLSearchParams): Response {
    const id = query.get("uploadId") ?? "";
    const parts = [...(uploads.get(id) ?? [])].sort(([a], [b]) => a - b);
    objects.set(key, new Uint8Array(Buffer.concat(parts.map(([, bytes]) => bytes))));
    uploads.delete(id);
    return xml(`<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`);
  }
}

const xml = (body: string): Response =>
  new Response(`<?xml version="1.0"?>${body}`, { headers: { "content-type": "application/xml" } });

function refusal(status: number, code: string): Response {
  return new Response(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`, { status });
}

const tagOf = (bytes: Uint8Array): string => `"${createHash("md5").update(bytes).digest("hex")}"`;

/** Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function isSigned(request: Request): boolean {
  const form =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/;
  const [, key, day = "", region = "", signed = "", signature] =
    form.exec(request.headers.get("authorization") ?? "") ?? [];
  if (key !== objectAccess.accessKeyId) return false;
  const url = new URL(request.url);
  const names = signed.split(";");
  const query = url.search
    .slice(1)
    .split("&")
    .filter(Boolean)
    .map((each) => (each.includes("=") ? each : `${each}=`));
  const canonical = [
    ...[request.method, url.pathname, query.sort().join("&")],
    ...names.map((name) => `${name}:${request.headers.get(name)}`),
    ...["", signed, request.headers.get("x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD"],
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = ["AWS4-HMAC-SHA256", request.headers.get("x-amz-date"), scope, digest].join("\n");
  const hmac = (secret: string | Buffer, data: string): Buffer => createHmac("sha256", secret).update(data).digest();
  const secret = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(
    hmac,
    `AWS4${objectAccess.secretAccessKey}`,
  );
  return hmac(secret, text).toString("hex") === signature;
}
