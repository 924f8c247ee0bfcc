// tidemill doctor: finds what is wrong with an installation in a cluster.
import type { Define } from '../cli.ts';
import { EXIT } from '../exit.ts';

interface Options {
  namespace: string;
  kubeconfig?: string;
  context?: string;
}

export const define: Define = (program, cli) => {
  program
    .command('doctor')
    .summary('find what is wrong with an installation in a cluster')
    .description('Looks at everything an installation is made of, and says of what is wrong what to do. Changes nothing. Exit code 1: something is wrong.')
    .addHelpText('before', 'Examples:\n  tidemill doctor\n  tidemill doctor --namespace tidemill-test --json\n\n')
    .option('--namespace <name>', 'where tidemill itself runs', 'tidemill-system')
    .option('--kubeconfig <file>', 'default: KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', "default: the kubeconfig's current one")
    .action(async ({ namespace, kubeconfig, context }: Options) => {
      const [{ openCluster }, { examine }, { findingText }] = await Promise.all([
        import('../install/cluster/connect.ts'),
        import('../install/doctor/doctor.ts'),
        import('../install/finding.ts'),
      ]);
      const cluster = await openCluster({ kubeconfig, context });
      try {
        const findings = await examine(cluster, namespace);
        const faults = findings.filter(({ state }) => state === 'wrong').length;
        if (faults > 0) cli.exitCode = EXIT.failed;
        const end = faults === 0 ? 'Nothing is wrong.' : `${faults === 1 ? 'One thing is' : `${faults} things are`} wrong.`;
        cli.answer({ namespace, healthy: faults === 0, findings }, () => `${findings.map((finding) => findingText(finding, cli.style)).join('\n')}\n\n${end}`);
      } finally {
        cluster.close();
      }
    });
};
