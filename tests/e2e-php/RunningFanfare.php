<?php
// Starts the built binary, and stops it again.

declare(strict_types=1);

final class RunningFanfare
{
    public const ID = '3';
    public const KEY = '278d425bdf160c739803';
    public const SECRET = '7ad3773142a6692b25b8';

    /** @var resource */
    private $process;

    /** @var resource */
    private $stdout;

    private string $directory;

    public readonly string $host;

    public readonly int $port;

    public function __construct()
    {
        $binary = getenv('FANFARE_BIN') ?: dirname(__DIR__, 2) . '/target/debug/fanfare';
        $this->directory = sys_get_temp_dir() . '/fanfare-e2e-' . bin2hex(random_bytes(8));
        mkdir($this->directory);
        $app = sprintf("id = \"%s\"\nkey = \"%s\"\nsecret = \"%s\"\n", self::ID, self::KEY, self::SECRET);
        file_put_contents("{$this->directory}/fanfare.toml", "[timeouts]\ndrain = 1\n\n[[apps.list]]\n{$app}");
        $command = [$binary, 'serve', '--config', 'fanfare.toml', '--data-dir', 'data'];
        array_push($command, '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0');
        $streams = [['file', '/dev/null', 'r'], ['pipe', 'w'], ['file', "{$this->directory}/stderr", 'w']];
        $environment = ['PATH' => getenv('PATH'), 'RUST_BACKTRACE' => '1'];
        $this->process = proc_open($command, $streams, $pipes, $this->directory, $environment);
        $this->stdout = $pipes[1];
        $this->waitUntilReady();
    }

    public function url(): string
    {
        return "http://{$this->host}:{$this->port}";
    }

    /** Stops the server with SIGTERM; fails unless the exit status is 0. */
    public function stop(): void
    {
        proc_terminate($this->process);
        // The end of the output is the end of the process.
        $this->within15Seconds(fn () => feof($this->stdout) || fread($this->stdout, 8192) === false);
        fclose($this->stdout);
        $status = proc_close($this->process);
        $log = file_get_contents("{$this->directory}/stderr");
        array_map('unlink', glob("{$this->directory}/{fanfare.toml,stderr,data/*}", GLOB_BRACE));
        is_dir("{$this->directory}/data") && rmdir("{$this->directory}/data");
        rmdir($this->directory);
        if ($status !== 0) {
            throw new RuntimeException("ended with {$status} after SIGTERM; stderr:\n{$log}");
        }
    }

    /** Kills the server without a message: after a failure that has been reported already. */
    public function kill(): void
    {
        if (is_resource($this->process)) {
            proc_terminate($this->process, 9);
        }
    }

    private function waitUntilReady(): void
    {
        $line = '';
        $this->within15Seconds(function () use (&$line) {
            $line .= (string) fgets($this->stdout);
            return str_ends_with($line, "\n") || feof($this->stdout);
        });
        if (!preg_match('~^Fanfare is ready: http://(.+):(\d+) \(admin ~', $line, $found)) {
            proc_terminate($this->process, 9);
            $log = file_get_contents("{$this->directory}/stderr");
            throw new RuntimeException("no ready line, but '{$line}'; stderr:\n{$log}");
        }
        [$this->host, $this->port] = [$found[1], (int) $found[2]];
    }

    private function within15Seconds(callable $done): void
    {
        stream_set_blocking($this->stdout, false);
        $end = microtime(true) + 15;
        while (!$done()) {
            $streams = [$this->stdout];
            $none = null;
            if (microtime(true) > $end || stream_select($streams, $none, $none, 15) === 0) {
                proc_terminate($this->process, 9);
                throw new RuntimeException('the server took more than 15 s');
            }
        }
    }
}
