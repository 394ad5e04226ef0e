import { Type } from "@sinclair/typebox";
import { count, namePattern } from "../config-setting.ts";

/** The settings of how processes know of each other. */
export const scalingSettings = {
  instanceName: Type.Optional(
    Type.String({
      env: "INSTANCE_NAME",
      ...namePattern,
      description: "Name of this process in the list of services; absent: its host, id and four random characters",
    }),
  ),
  serviceAddress: Type.Optional(
    Type.String({
      env: "SERVICE_ADDRESS",
      minLength: 1,
      description:
        "Address at which other processes reach this one: a host, host:port or URL; absent: the first of EXTERNAL_SERVICE_ADDRESS, POD_IP, HOST, the host's name and the first interface that is usable",
    }),
  ),
  externalServiceAddress: Type.Optional(
    Type.String({
      env: "EXTERNAL_SERVICE_ADDRESS",
      minLength: 1,
      description: "Address of this process from outside the network of the pipeline: a host, host:port or URL",
    }),
  ),
  podIp: Type.Optional(
    Type.String({ env: "POD_IP", minLength: 1, description: "IP address of this process's pod, from Kubernetes" }),
  ),
  serviceLeaseSeconds: count({
    env: "SERVICE_LEASE_SECONDS",
    default: 10,
    minimum: 2,
    maximum: 3600,
    unit: "s",
    description: "Time after which a process that died is no longer in the list of services, and another one leads",
  }),
};
