import { readFileSync } from "node:fs";
import type { Config } from "../config/parse-config.ts";
import { InvalidConfig } from "../domain/errors.ts";
import { EtcdClient } from "../etcd/etcd-client.ts";
import type { EtcdTls } from "../etcd/etcd-endpoint.ts";
import { messageOf } from "../kit/message-of.ts";

/** Creates the client of etcd; undefined if ETCD_ENDPOINTS is not set.
 *  @throws InvalidConfig if the file of a certificate or key cannot be read; an Error of the TLS library if its
 *    content is not usable */
export function openEtcd(config: Config): EtcdClient | undefined {
  const { etcdEndpoints: endpoints, etcdUsername, etcdPassword } = config;
  if (endpoints === undefined) return undefined;
  return new EtcdClient({
    endpoints,
    tls: etcdTls(config),
    user:
      etcdUsername === undefined || etcdPassword === undefined
        ? undefined
        : { name: etcdUsername, password: etcdPassword },
  });
}

function etcdTls({ etcdCaFile, etcdCertFile, etcdKeyFile }: Config): EtcdTls | undefined {
  if (etcdCaFile === undefined && etcdCertFile === undefined) return undefined;
  return { authority: readPem(etcdCaFile), certificate: readPem(etcdCertFile), key: readPem(etcdKeyFile) };
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
