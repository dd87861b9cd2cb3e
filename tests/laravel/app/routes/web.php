<?php

declare(strict_types=1);

use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;

// A login without a password: the only users are those of the tests.
Route::get('/login/{id}', fn (int $id) => ['name' => Auth::loginUsingId($id)->name]);

// Here a missing CSRF token is a 419, which shows that the application checks the token.
Route::post('/orders', fn () => 'never without a token');
