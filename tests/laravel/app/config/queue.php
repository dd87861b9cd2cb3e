<?php
// What would wait for a worker is done at once.

declare(strict_types=1);

return ['default' => 'sync', 'connections' => ['sync' => ['driver' => 'sync']]];
