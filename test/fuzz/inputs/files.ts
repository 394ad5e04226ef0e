import { generateKeyPairSync } from "node:crypto";
import { readKeys } from "../../../src/access/file/keys-file.ts";
import { parseConfig } from "../../../src/config/parse-config.ts";
import { configSchema } from "../../../src/config/config-schema.ts";
import { parsePostgresUrl } from "../../../src/db/postgres-url.ts";
import { EtcdRefused, InvalidConfig, TlsUnusable } from "../../../src/domain/errors.ts";
import { readData, readBoard, readGpu } from "../../../src/pipeline/hot/etcd/hot-documents.ts";
import {
  deadLetterText,
  envelopeText,
  readDeadLetter,
  readEnvelope,
} from "../../../src/pipeline/queue/etcd/envelope.ts";
import { readTargetsFile } from "../../../src/pipeline/source/exporter/discovery/targets-file.ts";
import { readMember } from "../../../src/pipeline/stream/assignment/stored-member.ts";
import {
  latestText,
  rangeText,
  readLatest,
  readPlan,
  readRange,
} from "../../../src/pipeline/stream/assignment/stored-plan.ts";
import { UnusableSource } from "../../../src/domain/errors.ts";
import { readInventoryFile } from "../../../src/pipeline/upkeep/inventory-file.ts";
import { readLeader } from "../../../src/scaling/election/etcd/leader-text.ts";
import { checkTexts } from "../../../src/tls/certificate-files.ts";
import { bytesSubject, must, type Subject, textSubject } from "../subject.ts";

const sha256 = "4f1c".repeat(16);
const keys = [
  { id: "3f9ac02b1d", name: "ci", sha256, scopes: ["read"], expires: "2027-01-01T00:00:00Z" },
  { id: "team", name: "team", sha256, scopes: ["read"], selector: { namespaces: ["ml"], hosts: ["a"] } },
];
const fileSd = [{ targets: ["a:9400", "[::1]:9400"], labels: { cluster: "c", rack: "r1", __scheme__: "https" } }];
const position = { offset: 10, line: 2 };
const stored = {
  envelope: {
    ...{ id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2", topic: "t", idempotency_key: "k", trace_id: "x", schema_version: "v1" },
    ...{
      created_at: "2025-07-18T20:42:34.000Z",
      count: 1,
      encoding: "json",
      source: { id: "csv:a", from: position, to: position },
    },
  },
  gpu: {
    ...{
      uuid: "GPU-a",
      cluster_id: "c",
      hostname: "h",
      gpu_id: 0,
      device: "nvidia0",
      model_name: "H100",
      driver_version: "1",
    },
    ...{ properties: { job: "x" }, as_of: "2025-07-18T20:42:34Z", first_seen_at: "2025-07-18T20:42:34Z" },
  },
};
const record = {
  uuid: "GPU-a",
  timestamp: "2025-07-18T20:42:34Z",
  gpu_id: 0,
  metrics: { temperature: 1 },
  custom: { a: 2 },
};

/** A certificate in DER: `openssl req -x509 -newkey ec -subj /CN=gw.example.org -addext subjectAltName=DNS:gw.example.org,IP:127.0.0.1`. */
const certificate = [
  "MIIBuDCCAV6gAwIBAgIUaolMt/I8pXnX3v+E+T2S09pVC9MwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwOZ3cuZXhhbXBsZS5vcmcw",
  "HhcNMjYxMTI2MTkyMzQ5WhcNMzYxMTIzMTkyMzQ5WjAZMRcwFQYDVQQDDA5ndy5leGFtcGxlLm9yZzBZMBMGByqGSM49AgEGCCqG",
  "SM49AwEHA0IABJUa0TffxJWaJuCJx/OZ4ebTj5beuvvCFcZ4tjPIGlQ/lVuNhQI9TuzYyTgPWHJ/gRXR69ZoD/8msLof/2xjszCj",
  "gYMwgYAwHQYDVR0OBBYEFDH3EYat1jC5KdbWLD04rOtSGjBcMB8GA1UdIwQYMBaAFDH3EYat1jC5KdbWLD04rOtSGjBcMA8GA1Ud",
  "EwEB/wQFMAMBAf8wLQYDVR0RBCYwJIIOZ3cuZXhhbXBsZS5vcmeHBH8AAAGGDHNwaWZmZTovL2EvYjAKBggqhkjOPQQDAgNIADBF",
  "AiASoiFjH5tHR+vg32V1Ntjk1Sum5ju8LNXXUt7oBLOWMwIhAKWIXe90/PrkQEDpVNejD4YSEOzk9JfsIc4xpVwsieG3",
].join("");
const keyOfAnother = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "pkcs8",
  format: "pem",
});

/** Reads bytes as the certificate of TLS_CERT_FILE, and as the authorities of AUTH_CLIENT_CA_FILE. */
function readCertificate(der: Buffer): unknown {
  const cert = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
  const files = { certFile: "cert", keyFile: "key", clientCaFile: "ca" };
  return checkTexts(files, { cert, key: keyOfAnother.toString(), clientCa: cert });
}

/** Readers of files and settings, which operators write. */
export function fileSubjects(): Subject[] {
  const targets = (path: string) => (text: string) => readTargetsFile({ path, text }, "c");
  return [
    // an unusable file is refused by an Error, whose text must name the file
    namedFile(
      "targets, a line each",
      ["a:9400 cluster=c rack=r1\n# x\nhttps://b/metrics?x=1\n[::1]:9400\n"],
      targets("targets.txt"),
    ),
    namedFile("targets of file_sd in JSON", [JSON.stringify(fileSd)], targets("targets.json")),
    namedFile(
      "targets of file_sd in YAML",
      [
        "- targets: &a ['a:9400']\n- targets: *a\n",
        "- targets: ['a:9400', b]\n  labels: {cluster: c, rack: 1}\n- targets: []\n",
      ],
      targets("targets.yaml"),
    ),
    textSubject({
      name: "the inventory's file",
      seeds: ['hostname,gpus,uuid,cluster\ngpu-01,8,,lab\n# c\ngpu-02,,"GPU-75ca",lab\n', "uuid,hostname\nGPU-1,a\n"],
      refusals: [UnusableSource],
      read: (text) => readInventoryFile(text, "c"),
    }),
    textSubject({
      name: "AUTH_KEYS_FILE",
      seeds: [JSON.stringify(keys), keys.map((key) => JSON.stringify(key)).join("\n")],
      read: readKeys,
    }),
    bytesSubject({
      name: "certificates",
      seeds: [Buffer.from(certificate, "base64")],
      refusals: [TlsUnusable],
      read: readCertificate,
    }),
    textSubject({ name: "settings", seeds: settingSeeds(), refusals: [InvalidConfig], read: readSettings }),
    textSubject({
      name: "DATABASE_URL",
      seeds: ["postgres://u:p%40@db.example:5432/t?sslmode=require&prepare=false", "postgresql://[::1]/t"],
      refusals: [InvalidConfig],
      read: parsePostgresUrl,
    }),
  ];
}

/** Readers of values of etcd, which another version of this program, or a person, may have written. */
export function storedSubjects(): Subject[] {
  const letter = { ...stored.envelope, attempts: 3, last_error: "e", dead_at: "2025-07-18T20:42:34.000Z" };
  return [
    bytesSubject({ name: "envelopes in etcd", seeds: [JSON.stringify(stored.envelope)], read: readAndWriteEnvelope }),
    bytesSubject({
      name: "dead letters in etcd",
      seeds: [JSON.stringify(letter)],
      read: (bytes) => deadLetterText(readDeadLetter("01K0F3Z8Q4W5X6Y7Z8A9B0C1D2", bytes)),
    }),
    bytesSubject({
      name: "plans and positions in etcd",
      seeds: [
        JSON.stringify({ state: "cut", cut_to: position, cluster_id: "c" }),
        JSON.stringify({ from: position, to_offset: 20, to_line: 3, at: position }),
        latestText(1_752_871_354_000),
      ],
      refusals: [EtcdRefused],
      read: (bytes) =>
        [() => readPlan(bytes), () => rangeText(readRange(bytes)), () => latestText(readLatest(bytes))].map((read) =>
          ignoring(EtcdRefused, read),
        ),
    }),
    bytesSubject({
      name: "the hot tier in etcd",
      seeds: [
        JSON.stringify(stored.gpu),
        JSON.stringify({ slot: "a" }),
        JSON.stringify({ records: [record, { ...record, gpu: stored.gpu }] }),
      ],
      read: (bytes) => [readGpu(bytes), readBoard(bytes), readData(bytes, { clusterId: "c", hostname: "h" })],
    }),
    bytesSubject({
      name: "members and leaders in etcd",
      seeds: [
        JSON.stringify({ targets: 3, digest: "x" }),
        JSON.stringify({ instance_id: "a", since: "2025-07-18T20:42:34Z" }),
      ],
      read: (bytes) => [readMember(bytes), readLeader(bytes, "1")],
    }),
  ];
}

function ignoring(refusal: typeof EtcdRefused, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof refusal)) throw error;
  }
}

function readAndWriteEnvelope(bytes: Buffer): void {
  const envelope = readEnvelope(bytes);
  if (envelope !== undefined) envelopeText(envelope);
}

function namedFile(name: string, seeds: readonly string[], read: (text: string) => unknown): Subject {
  return textSubject({
    name,
    seeds,
    read: (text) => {
      try {
        read(text);
      } catch (error) {
        must(
          error instanceof Error && /^targets\.\w+:\d+: /.test(error.message),
          `${String(error)} does not name the line`,
        );
      }
    },
  });
}

/** Some settings in each text, as NAME=VALUE lines. */
function settingSeeds(): string[] {
  const all = Object.values(configSchema.properties).map((schema) => {
    const { env, default: value } = schema as unknown as { readonly env: string; readonly default?: unknown };
    return `${env}=${value === undefined ? "" : Array.isArray(value) ? value.join(",") : JSON.stringify(value).replaceAll('"', "")}`;
  });
  return Array.from({ length: Math.ceil(all.length / 8) }, (_, at) => all.slice(at * 8, at * 8 + 8).join("\n"));
}

function readSettings(text: string): void {
  const pairs = text
    .split("\n")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);
  parseConfig(Object.fromEntries(pairs));
}
