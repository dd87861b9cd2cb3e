<?php
// There are none but those of Laravel's error pages.

declare(strict_types=1);

return ['paths' => [], 'compiled' => storage_path('framework/views')];
