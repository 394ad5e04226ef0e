import { release } from "./deployment.ts";

/** The name of the ConfigMap, and of the claim, that has the file. */
export const csvName = `${release}-csv`;
/** The name of the file there. */
export const csvFile = "telemetry.csv";
/** The pod that receives the file. */
export const loaderName = `${release}-csv-loader`;

const labelsOf = (component: string) => ({
  "app.kubernetes.io/name": release,
  "app.kubernetes.io/instance": release,
  "app.kubernetes.io/component": component,
});

/** A ConfigMap that has the file. */
export function csvConfigMap(namespace: string, content: Uint8Array): object {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: csvName, namespace, labels: labelsOf("csv") },
    binaryData: { [csvFile]: Buffer.from(content).toString("base64") },
  };
}

/** A claim of a volume for the file.
 *  @param storageClass absent: the cluster's default */
export function csvClaim(namespace: string, size: string, storageClass?: string): object {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: csvName, namespace, labels: labelsOf("csv") },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: size } },
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
    },
  };
}

/** A pod that mounts the claim and waits for an hour at most. It runs on the node of the streamers that have the volume, if any do. */
export function csvLoader(namespace: string, image: string): object {
  const streamers = { matchLabels: labelsOf("nexus-streamer") };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: loaderName, namespace, labels: labelsOf("csv-loader") },
    spec: {
      restartPolicy: "Never",
      activeDeadlineSeconds: 3600,
      automountServiceAccountToken: false,
      // sleep does not handle SIGTERM
      terminationGracePeriodSeconds: 0,
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
        seccompProfile: { type: "RuntimeDefault" },
      },
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 100, podAffinityTerm: { topologyKey: "kubernetes.io/hostname", labelSelector: streamers } },
          ],
        },
      },
      containers: [
        {
          ...{ name: "loader", image, command: ["sleep", "3600"] },
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true },
            capabilities: { drop: ["ALL"] },
          },
          resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "128Mi" } },
          volumeMounts: [{ name: "csv", mountPath: "/csv" }],
        },
      ],
      volumes: [{ name: "csv", persistentVolumeClaim: { claimName: csvName } }],
    },
  };
}
