find_package(prometheus-cpp CONFIG REQUIRED)
target_link_libraries(sluice_meter PRIVATE prometheus-cpp::core)
