import type { Static } from "@sinclair/typebox";
import type { configSchema } from "./config-schema.ts";

type Config = Static<typeof configSchema>;

/** The errors of settings of connections to servers, and of TLS on the process's own port, that are valid by themselves but contradict
 *  each other. */
export function serverContradictions(config: Config): string[] {
  return [...etcdContradictions(config), ...databaseContradictions(config), ...tlsContradictions(config)];
}

/** DATABASE_URL with the CA of DATABASE_CA_FILE, so that whatever opens the database checks its server. Anything that is not a URL stays as
 *  it is, for the error where it is opened. */
export function urlWithCa({ databaseUrl, databaseCaFile }: Config): string | undefined {
  const url = databaseUrl === undefined ? null : URL.parse(databaseUrl);
  if (url === null || databaseCaFile === undefined) return databaseUrl;
  url.searchParams.set("sslrootcert", databaseCaFile);
  return url.href;
}

function databaseContradictions({ databaseUrl, databaseCaFile }: Config): string[] {
  if (databaseCaFile === undefined) return [];
  if (databaseUrl === undefined) return ["DATABASE_CA_FILE needs DATABASE_URL: the embedded store has no server"];
  const named = URL.parse(databaseUrl)?.searchParams.get("sslrootcert");
  if (!named || named === databaseCaFile) return [];
  return [`DATABASE_CA_FILE=${databaseCaFile} and sslrootcert=${named} in DATABASE_URL differ: set only one of them`];
}

function etcdContradictions(config: Config): string[] {
  const { etcdEndpoints: endpoints = [], etcdCaFile, etcdCertFile, etcdKeyFile, etcdUsername, etcdPassword } = config;
  const errors: string[] = [];
  const given = Object.entries({
    ETCD_CA_FILE: etcdCaFile,
    ETCD_CERT_FILE: etcdCertFile,
    ETCD_KEY_FILE: etcdKeyFile,
    ETCD_USERNAME: etcdUsername,
    ETCD_PASSWORD: etcdPassword,
  }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (endpoints.length === 0 && given.length > 0) {
    errors.push(
      `${given.join(", ")} without ETCD_ENDPOINTS: the process would use no etcd, although these say how to reach it`,
    );
  }
  const secure = endpoints.filter((url) => url.startsWith("https://")).length;
  if (secure > 0 && secure < endpoints.length) {
    errors.push(`ETCD_ENDPOINTS=${endpoints.join(",")} mixes http and https; use only one of them`);
  }
  if (endpoints.length > 0 && secure === 0 && (etcdCaFile ?? etcdCertFile ?? etcdKeyFile) !== undefined) {
    errors.push(
      `ETCD_CA_FILE, ETCD_CERT_FILE and ETCD_KEY_FILE need https, but ETCD_ENDPOINTS=${endpoints.join(",")} is http`,
    );
  }
  if ((etcdCertFile === undefined) !== (etcdKeyFile === undefined)) {
    errors.push("ETCD_CERT_FILE and ETCD_KEY_FILE belong together: set both or neither");
  }
  if ((etcdUsername === undefined) !== (etcdPassword === undefined)) {
    errors.push("ETCD_USERNAME and ETCD_PASSWORD belong together: set both or neither");
  }
  return errors;
}

function tlsContradictions(config: Config): string[] {
  const { tlsCertFile, tlsKeyFile, tlsRedirectPort, port, httpForwardedHops: hops } = config;
  const errors: string[] = [];
  // other processes may have the settings of the gateways
  if (hops > 1 && !config.httpTrustForwardedFor && config.roles.includes("gateway")) {
    errors.push(
      `HTTP_FORWARDED_HOPS=${hops} needs HTTP_TRUST_FORWARDED_FOR=true: without it, X-Forwarded-For is not read`,
    );
  }
  if ((config.balancerCertFile === undefined) !== (config.balancerKeyFile === undefined)) {
    errors.push("BALANCER_CERT_FILE and BALANCER_KEY_FILE belong together: set both or neither");
  }
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    errors.push("TLS_CERT_FILE and TLS_KEY_FILE belong together: set both or neither");
  }
  if (tlsRedirectPort !== undefined && tlsCertFile === undefined) {
    errors.push(
      `TLS_REDIRECT_PORT=${tlsRedirectPort} needs TLS_CERT_FILE: without TLS, there is nowhere to send a request`,
    );
  }
  if (tlsRedirectPort !== undefined && tlsRedirectPort === port && port !== 0) {
    errors.push(`TLS_REDIRECT_PORT=${tlsRedirectPort} and PORT=${port} must differ: one has TLS, the other has none`);
  }
  return errors;
}
