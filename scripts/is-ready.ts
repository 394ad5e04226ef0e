import process from "node:process";

const usage = `Exits with 0 if the process of this container answers with 200, otherwise with 1, for HEALTHCHECK.
  bun scripts/is-ready.ts [PORT [PATH]]
Without arguments, asks a process of the pipeline whether it is ready.
`;

if (process.argv.includes("--help")) {
  process.stdout.write(usage);
  process.exit(0);
}
const [port = process.env.PORT || "8080", path = "/health/ready"] = process.argv.slice(2);
const scheme = process.env.TLS_CERT_FILE ? "https" : "http";
try {
  const { ok } = await fetch(`${scheme}://127.0.0.1:${port}${path}`, {
    signal: AbortSignal.timeout(4000),
    // the certificate names the host that clients ask, not this address
    tls: { rejectUnauthorized: false },
  });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
