<?php
// Jobs run at once, without a worker.

declare(strict_types=1);

return ['default' => 'sync', 'connections' => ['sync' => ['driver' => 'sync']]];
