import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { InvalidConfig } from "../domain/errors.ts";
import { defined } from "../kit/defined.ts";
import { messageOf } from "../kit/message-of.ts";
import { EtcdClient } from "./etcd-client.ts";
import type { EtcdClientOptions, EtcdTls } from "./etcd-endpoint.ts";

/** The settings of the connection to etcd, as the configuration has them. */
export interface EtcdSettings {
  readonly etcdEndpoints?: readonly string[];
  readonly etcdCaFile?: string;
  readonly etcdCertFile?: string;
  readonly etcdKeyFile?: string;
  readonly etcdUsername?: string;
  readonly etcdPassword?: string;
}

/** Creates the client of etcd; undefined if ETCD_ENDPOINTS is not set.
 *  @throws InvalidConfig if the file of a certificate or key cannot be read, or its content is not usable */
export function openEtcd(config: EtcdSettings): EtcdClient | undefined {
  const { etcdEndpoints } = config;
  return etcdEndpoints === undefined ? undefined : new EtcdClient(etcdOptions({ ...config, etcdEndpoints }));
}

/** The options of a client. Its certificates are read again when a connection fails.
 *  @throws InvalidConfig as `openEtcd` */
export function etcdOptions(config: EtcdSettings & Required<Pick<EtcdSettings, "etcdEndpoints">>): EtcdClientOptions {
  const { etcdEndpoints: endpoints, etcdUsername, etcdPassword } = config;
  const tls = etcdTls(config);
  return {
    endpoints,
    tls,
    renewedTls: tls && renewals(config, tls),
    user:
      etcdUsername === undefined || etcdPassword === undefined
        ? undefined
        : { name: etcdUsername, password: etcdPassword },
  };
}

/** Reads the files again, and returns what they contain if it has changed and is usable. A certificate and its key are replaced one after
 *  the other: what does not belong together is read again after the next failure. */
function renewals(settings: EtcdSettings, first: EtcdTls): () => EtcdTls | undefined {
  let last = first;
  return () => {
    try {
      const tls = etcdTls(settings);
      if (tls === undefined || Bun.deepEquals(tls, last)) return undefined;
      last = tls;
      return tls;
    } catch {
      return undefined;
    }
  };
}

function etcdTls({ etcdCaFile, etcdCertFile, etcdKeyFile }: EtcdSettings): EtcdTls | undefined {
  if (etcdCaFile === undefined && etcdCertFile === undefined) return undefined;
  const [authority, certificate, key] = [readPem(etcdCaFile), readPem(etcdCertFile), readPem(etcdKeyFile)];
  try {
    createSecureContext(defined({ ca: authority, cert: certificate, key }));
  } catch (cause) {
    const files = [etcdCaFile, etcdCertFile, etcdKeyFile].filter((file) => file !== undefined).join(", ");
    throw new InvalidConfig([
      `${files} cannot be used for TLS (ETCD_CA_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE): ${messageOf(cause)}; expected PEM, and a key ` +
        "that belongs to its certificate",
    ]);
  }
  return { authority, certificate, key };
}

function readPem(file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new InvalidConfig([
      `${file} cannot be read (ETCD_CA_FILE, ETCD_CERT_FILE, ETCD_KEY_FILE): ${messageOf(cause)}`,
    ]);
  }
}
