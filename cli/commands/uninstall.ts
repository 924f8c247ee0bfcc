// tidemill uninstall: takes tidemill out of a cluster.
import type { Define } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';

interface Options {
  namespace: string;
  all?: boolean;
  keepData?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  timeout: string;
  kubeconfig?: string;
  context?: string;
}

export const define: Define = (program, cli) => {
  program
    .command('uninstall')
    .summary('take tidemill out of a cluster')
    .description('Takes away what `tidemill install` put into the cluster. Projects, and all else that was made with it, stay unless --all is said.')
    .addHelpText(
      'before',
      'Examples:\n  tidemill uninstall --dry-run\n  tidemill uninstall --yes\n  tidemill uninstall --all      the projects, artifacts and releases of every namespace as well\n\n',
    )
    .option('--namespace <name>', 'where tidemill itself runs', 'tidemill-system')
    .option('--keep-data', 'keep the definitions and their objects (this is so unless --all is said)')
    .option('--all', 'take away the definitions, and with them every project, artifact and release of the cluster')
    .option('--timeout <seconds>', 'until all has to be gone', '300')
    .option('--kubeconfig <file>', 'default: KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', "default: the kubeconfig's current one")
    .option('--dry-run', 'show what would be taken away, and change nothing')
    .option('--yes', 'do not ask')
    .action(async ({ namespace, all = false, keepData = false, dryRun = false, yes = false, timeout, kubeconfig, context }: Options) => {
      if (all && keepData) throw new CliError(EXIT.usage, '--keep-data and --all are opposites: say one of them');
      const timeout_s = Number(timeout);
      if (!Number.isInteger(timeout_s) || timeout_s < 1 || timeout_s > 3600) throw new CliError(EXIT.usage, '--timeout wants seconds, from 1 to 3600');
      const [{ openCluster }, { uninstallCommand }] = await Promise.all([import('../install/cluster/connect.ts'), import('../install/command.ts')]);
      const cluster = await openCluster({ kubeconfig, context });
      try {
        await uninstallCommand(cluster, { namespace, all, yes, dryRun, timeout_s }, cli);
      } finally {
        cluster.close();
      }
    });
};
