import { readFileSync } from "node:fs";
import type { Config } from "../config/parse-config.ts";
import { InvalidConfig } from "../domain/errors.ts";
import { EtcdClient } from "../etcd/etcd-client.ts";
import { messageOf } from "../kit/message-of.ts";

/** Creates the client of etcd; undefined if ETCD_ENDPOINTS is not set.
 *  @throws InvalidConfig if the file of a certificate or key cannot be read */
export function openEtcd(config: Config): EtcdClient | undefined {
  const { etcdEndpoints: endpoints, etcdCaFile, etcdCertFile, etcdKeyFile, etcdUsername, etcdPassword } = config;
  if (endpoints === undefined) return undefined;
  const authority = readPem(etcdCaFile);
  return new EtcdClient({
    endpoints,
    tls:
      authority === undefined
        ? undefined
        : { authority, certificate: readPem(etcdCertFile), key: readPem(etcdKeyFile) },
    user:
      etcdUsername === undefined || etcdPassword === undefined
        ? undefined
        : { name: etcdUsername, password: etcdPassword },
  });
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
