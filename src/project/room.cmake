pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
target_link_libraries(sluice_project PUBLIC PkgConfig::libpq xxhash)
