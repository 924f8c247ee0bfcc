// Where the cluster's tests find what they run against. Everything comes from the environment, and what is missing is named.
import process from 'node:process';

const WHAT = {
  KUBECONFIG: 'the kubeconfig of a cluster with Tekton Pipelines and Knative Serving and Eventing, where the tests may do what they like',
  TIDEMILL_TEST_NATS_URL: 'a NATS server with JetStream, reachable from here and from pods, as nats://HOST:PORT',
  TIDEMILL_TEST_S3_ENDPOINT: 'an S3 server, reachable from here and from pods (with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION)',
  TIDEMILL_TEST_REGISTRY: 'an OCI registry that the nodes pull from, as HOST:PORT, which takes pushes by plain HTTP',
  TIDEMILL_TEST_GATEWAY: 'the ingress of Knative Serving, as http://HOST:PORT',
  TIDEMILL_TEST_BUILD_IMAGE: 'an image with sh, node, npm and git that the nodes have or can pull',
  TIDEMILL_TEST_HOST: 'the address of this machine as pods see it',
  TIDEMILL_TEST_NATS_SERVER: 'the path of a nats-server binary (2.10 or later, not 2.10.20 to 22): the tests start servers of their own, to kill them',
  TIDEMILL_TEST_APISERVER_PAUSE:
    'a shell command that takes the API server away from everyone for as many seconds as its $1 says, and ends when it is back (such as SIGSTOP and SIGCONT)',
} as const;

/** The variable's value. Throws with what it is to hold when it is not set. */
export function fromEnv(name: keyof typeof WHAT): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: the cluster's tests need ${WHAT[name]}`);
  return value;
}
